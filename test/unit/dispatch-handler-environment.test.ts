import { expect, test } from '@jest/globals';
import { isSecretSetting, SETTING_NAMES } from '../../src/config/catalogue.ts';
import { handlerEnvironment, withDotenv } from '../../src/dispatch/handler-environment.ts';
import { KEY, load, makeFolder, TOKEN, writeIn } from './config-support.ts';

const SECRETS = SETTING_NAMES.filter(isSecretSetting);

/** What handlers find in `process.env`. */
function seen(dotenv: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const cwd = makeFolder();
  writeIn(cwd, '.env', dotenv);
  return handlerEnvironment(withDotenv(load(env, cwd, false).handlers, env));
}

test('handlers find what is no setting of ours in .env, and the environment wins', () => {
  const dotenv = 'SLACK_URL="https://x.example/#a"\nCRM=one\nEMPTY_THERE=two\nNOTHING=\nPORT=4000\nCRM_FILE=x\n';
  expect(seen(dotenv, { CRM: 'three', EMPTY_THERE: '', PATH: '/bin' })).toEqual({
    SLACK_URL: 'https://x.example/#a',
    CRM: 'three',
    EMPTY_THERE: 'two',
    CRM_FILE: 'x',
    PATH: '/bin',
  });
});

test.each(SECRETS)('%s is never there, by no source', (name) => {
  const cwd = makeFolder();
  const value = name === 'DATABASE_URL' ? 'sqlite:x.db' : KEY;
  const file = writeIn(cwd, 'secret', value);
  const other = { OWN: '1' };
  expect(seen(`${name}=${value}\nOWN=1\n`, {})).toEqual(other);
  expect(seen(`${name}_FILE=${file}\nOWN=1\n`, {})).toEqual(other);
  expect(seen('', { ...other, [name]: value })).toEqual(other);
  expect(seen('', { ...other, [`${name}_FILE`]: file })).toEqual(other);
  expect(handlerEnvironment({ ...other, [name.toLowerCase()]: value, [`${name}_file`]: file })).toEqual(other);
});

test('settings that hold the values of handlers print none of them', () => {
  const cwd = makeFolder();
  writeIn(cwd, '.env', `SLACK_TOKEN=${TOKEN}\n`);
  expect(JSON.stringify(load({}, cwd))).not.toContain(TOKEN);
});
