import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { CATALOGUE, isSecretSetting, isSettingName, SETTING_NAMES } from '../../src/config/catalogue.ts';
import { settingsSchema } from '../../src/config/settings-schema.ts';
import { load, makeFolder, writeIn } from './config-support.ts';

const ROOT = new URL('../../', import.meta.url);
const example = readFileSync(new URL('.env.example', ROOT), 'utf8');

test('the catalogue and the schema hold the same settings', () => {
  expect(Object.keys(settingsSchema('/').shape).toSorted()).toEqual(SETTING_NAMES.toSorted());
});

test('every default is one the schema takes, and a secret has none', () => {
  const { shape } = settingsSchema('/srv');
  for (const name of SETTING_NAMES) {
    const { default: text } = CATALOGUE[name];
    if (text === '')
      expect([name, shape[name].safeParse(undefined)]).toEqual([name, { success: true, data: undefined }]);
    else expect([name, shape[name].safeParse(undefined)]).toEqual([name, shape[name].safeParse(text)]);
    if (isSecretSetting(name) && name !== 'DATABASE_URL') expect(text).toBe('');
  }
});

describe('.env.example', () => {
  test.each(SETTING_NAMES)('has %s with its meaning and its default', (name) => {
    expect(example).toContain(`\n# ${CATALOGUE[name].meaning}\n#${name}=${CATALOGUE[name].default}\n`);
  });

  test('has each setting once, in the order and under the groups of the catalogue, and nothing else', () => {
    const listed = [...example.matchAll(/^#([A-Z][A-Z_]*)=/gm)].map((match) => match[1]);
    expect(listed).toEqual(SETTING_NAMES);
    const groups = [...example.matchAll(/^# --- (.*) ---$/gm)].map((match) => match[1]);
    expect(groups).toEqual([...new Set(SETTING_NAMES.map((name) => CATALOGUE[name].group))]);
  });

  test('changes nothing when it is copied, and sets the defaults when every line is taken in', () => {
    expect(parseEnv(example)).toEqual({});
    const cwd = makeFolder();
    writeIn(cwd, 'handlers/README.md', '');
    const untouched = load({}, cwd);
    writeIn(cwd, '.env', example.replaceAll(/^#(?=[A-Z_]+=)/gm, ''));
    const filled = load({}, cwd);
    const plain = (settings: object) => JSON.stringify({ ...settings, generatedSecrets: [], secretOrigins: {} });
    expect(plain(filled)).toBe(plain(untouched));
  });
});

test("the README's table of settings holds every setting and its default, and no other", () => {
  const rows = readSettingsTable(readFileSync(new URL('README.md', ROOT), 'utf8')) ?? [];
  const listed = rows.flatMap(({ names }) => names);
  expect(listed.toSorted()).toEqual(SETTING_NAMES.toSorted());
  for (const name of SETTING_NAMES) {
    const row = rows.find(({ names }) => names.includes(name));
    const { default: text } = CATALOGUE[name];
    const defaults = row?.defaults.split(',').map((value) => value.trim());
    const own = defaults?.length === row?.names.length ? defaults?.[row?.names.indexOf(name) ?? 0] : row?.defaults;
    if (text !== '') expect([name, own]).toEqual([name, text]);
  }
});

/** The rows of the tables whose first column names settings; several may share a row, their defaults in the same order. */
function readSettingsTable(markdown: string): { readonly names: string[]; readonly defaults: string }[] {
  const tables = markdown.split(/\n(?!\|)/).map((table) =>
    [...table.matchAll(/^\| *(`?[A-Z][A-Z_]+`?(?:, *`?[A-Z][A-Z_]+`?)*) *\|([^|]*)\|/gm)].map((match) => ({
      names: (match[1] ?? '').replaceAll('`', '').split(/, */),
      defaults: (match[2] ?? '').replaceAll('`', '').trim(),
    })),
  );
  return tables.filter((rows) => rows.some(({ names }) => names.some(isSettingName))).flat();
}
