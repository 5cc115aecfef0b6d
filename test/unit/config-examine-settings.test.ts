import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { examineSettings } from '../../src/config/examine-settings.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { SettingsError } from '../../src/errors/problem.ts';
import { makeToken } from '../support/made-secrets.ts';
import { makeFolder } from '../support/start-receiver.ts';

let cwd = '';

beforeEach(() => {
  cwd = makeFolder();
});

afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function faultsOfLoading(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadSettings({ env, cwd, create: false });
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
}

test('settings that can be used are what loading gives, and nothing is made', () => {
  const env = { NODE_ENV: 'staging', PORT: '4000' };
  const { settings, faults, leftOut, nodeEnv } = examineSettings(env, cwd);
  expect(faults).toEqual([]);
  expect([...leftOut]).toEqual([]);
  expect(nodeEnv).toBe('staging');
  expect(settings?.port).toBe(4_000);
  expect(readdirSync(cwd)).toEqual([]);
});

test.each<[string, NodeJS.ProcessEnv, string[]]>([
  ['one that cannot be read', { PORT: 'many', HOST: '127.0.0.1' }, ['PORT']],
  ['several', { PORT: 'many', ROLE: 'none', PUBLIC_URL: 'x' }, ['PORT', 'PUBLIC_URL', 'ROLE']],
  [
    'two that contradict each other',
    { HEADERS_TIMEOUT_SECONDS: '60', REQUEST_TIMEOUT_SECONDS: '5' },
    ['HEADERS_TIMEOUT_SECONDS'],
  ],
  ['one that another one forbids', { ROLE: 'worker', DATABASE_URL: 'sqlite:a.db' }, ['ROLE']],
  ['a value and a file', { METRICS_TOKEN: 'a', METRICS_TOKEN_FILE: 'b' }, ['METRICS_TOKEN']],
  ['a file that is not there', { METRICS_TOKEN_FILE: 'b' }, ['METRICS_TOKEN']],
])('%s is left out, and its fault told once', (_, env, names) => {
  const { settings, faults, leftOut } = examineSettings(env, cwd);
  expect([...leftOut].toSorted()).toEqual(names);
  expect(faults).toEqual(faultsOfLoading(env));
  expect(faults.length).toBeGreaterThan(0);
  expect(settings).toBeDefined();
});

test('what lacks one that was left out is no fault of its own', () => {
  const env = { INSTANTLY_REQUIRE: 'both', INSTANTLY_SECRET: 'short', INSTANTLY_WEBHOOK_TOKEN: makeToken() };
  const { settings, faults, leftOut } = examineSettings(env, cwd);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^INSTANTLY_SECRET has a key that is shorter/);
  expect(leftOut.has('INSTANTLY_SECRET')).toBe(true);
  expect(settings?.authentication.tokens).toHaveLength(1);
});

test('one in .env is left out like any other', () => {
  writeFileSync(join(cwd, '.env'), 'PORT=many\nHOST=127.0.0.1\n');
  const { settings, leftOut } = examineSettings({}, cwd);
  expect([...leftOut]).toEqual(['PORT']);
  expect(settings).toMatchObject({ port: 3_000, host: '127.0.0.1' });
});

test('a fault that no setting can be left out for leaves none to be used', () => {
  mkdirSync(join(cwd, '.env'));
  const { settings, faults } = examineSettings({}, cwd);
  expect(settings).toBeUndefined();
  expect(faults).toEqual([expect.stringMatching(/^\.env cannot be read/)]);
});

test('it is told once beside those of settings that can be left out', () => {
  mkdirSync(join(cwd, '.env'));
  const { faults, leftOut } = examineSettings({ PORT: 'many' }, cwd);
  expect(faults).toHaveLength(2);
  expect([...leftOut]).toEqual(['PORT']);
});

test('so does a secret that is kept and cannot be read, told once', () => {
  mkdirSync(join(cwd, 'data', 'audit-key'), { recursive: true });
  const { settings, faults } = examineSettings({}, cwd);
  expect(settings).toBeUndefined();
  expect(faults).toEqual([expect.stringMatching(/^AUDIT_KEY is not set, and the one kept at .* cannot be read/)]);
});
