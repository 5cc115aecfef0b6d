import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Secret } from '../../src/config/secret.ts';
import { startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { checkNewKey } from '../../src/instantly/check-new-key.ts';
import { openAccounts } from '../../src/instantly/open-accounts.ts';
import type { InstantlyReader } from '../../src/instantly/reader.ts';
import { callFake } from '../support/call-fake.ts';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';
import { runCommand } from '../support/run-command.ts';

const READING = [
  'webhooks:read',
  'webhook_events:read',
  'campaigns:read',
  'workspaces:read',
  'api_keys:read',
  'audit_logs:read',
];

let rig: InstantlyRig;

afterEach(() => rig.stop());

const file = (): string => join(rig.folder, 'read-key');

/** A receiver whose key for reading stands in a file. The fake knows more keys than it uses. */
async function start(writeScopes: readonly string[] = ['webhooks:create', 'webhooks:update', 'api_keys:delete']) {
  rig = await startRig({
    fake: {
      keys: [
        { name: 'old', scopes: READING },
        { name: 'new', scopes: READING },
        { name: 'narrow', scopes: ['webhooks:read'] },
        { name: 'wide', scopes: ['all:all'] },
        { name: 'blind', scopes: READING.filter((scope) => scope !== 'workspaces:read' && scope !== 'api_keys:read') },
        { name: 'writing', scopes: [...writeScopes] },
      ],
    },
    settings: { INSTANTLY_READ_KEY: '', INSTANTLY_READ_KEY_FILE: 'read-key', NODE_ENV: 'production' },
    prepare: ({ folder, fake }) => {
      writeFileSync(join(folder, 'read-key'), `${fake.keys['old']}\n`);
      chmodSync(join(folder, 'read-key'), 0o640);
    },
    writeKey: 'writing',
  });
  // The service's own look at its keys, two pages, must not meet a fault that a test has planned.
  while (rig.fake.calls().filter(({ operation }) => operation === 'GET /api-keys').length < 2) await pause(20);
}

const rotate = (key: string, ...words: string[]) =>
  runCommand(rig.folder, ['secrets', 'rotate', '--api-key', ...words], { input: `${key}\n` });

test('a new key is checked, put into its place, taken on and the old one revoked', async () => {
  await start();
  const ran = await rotate(rig.fake.keys['new'] ?? '', '--setting', 'INSTANTLY_READ_KEY', '--json');
  expect(ran).toMatchObject({ code: 0 });
  expect(JSON.parse(ran.stdout)).toEqual({
    setting: 'INSTANTLY_READ_KEY',
    workspace: 'same',
    behind: 0,
    processes: [],
    revoked: true,
    oldKey: null,
    stillValid: [],
  });
  expect(readFileSync(file(), 'utf8')).toBe(`${rig.fake.keys['new']}\n`);
  expect(statSync(file()).mode & 0o777).toBe(0o640);
  expect(await rig.json('webhooks', 'list')).toEqual([]);
  const asked = await fetch(`${rig.fake.url}/api/v2/webhooks`, {
    headers: { authorization: `Bearer ${rig.fake.keys['old']}` },
  });
  expect(asked.status).toBe(401);
  const entries = await rig.json<{ action: string; metadata: { step?: string } }[]>('audit', 'tail', '--limit', '1000');
  const steps = entries.filter(({ action }) => action === 'secret.rotate').map(({ metadata }) => metadata.step);
  expect(steps).toEqual(['write', 'revoke']);
});

const idOf = (key: string | undefined): string => String(Buffer.from(String(key), 'base64')).split(':')[0] ?? '';

/** As a person does who clicks at Instantly. */
const deleteByHand = (key: string | undefined) => callFake(rig.fake, `DELETE /api-keys/${idOf(key)}`);

test('where no key may revoke, it fails as long as the old key is valid, names it and says where to click', async () => {
  await start(['webhooks:create', 'webhooks:update']);
  const key = rig.fake.keys['new'] ?? '';
  const old = rig.fake.keys['old'];
  for (let run = 0; run < 2; run += 1) {
    const ran = await rotate(key, '--setting', 'INSTANTLY_READ_KEY');
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain(
      `The old key "old" (${idOf(old)}) is still valid: no key here has api_keys:delete; delete it at Instantly under Settings > Integrations > API keys`,
    );
    expect(ran.stdout + ran.stderr).not.toContain(String(old));
    expect(readFileSync(file(), 'utf8')).toBe(`${key}\n`);
  }
  const { stdout } = await rig.run('doctor', '--json');
  expect(stdout).toContain('which INSTANTLY_READ_KEY held before, is still valid');
  await deleteByHand(old);
  const ran = await rotate(key, '--setting', 'INSTANTLY_READ_KEY');
  expect(ran).toMatchObject({
    code: 0,
    stdout: 'INSTANTLY_READ_KEY is replaced, and the old key is not valid any more.\n',
  });
  // Nothing is left to do.
  expect(await rotate(key, '--setting', 'INSTANTLY_READ_KEY')).toMatchObject({ code: 1 });
});

test('a process that does not come to the new key is named, and the old key stays until it does', async () => {
  await start();
  const { child } = rig.receiver;
  child.kill('SIGKILL');
  await rig.receiver.ended;
  const key = rig.fake.keys['new'] ?? '';
  const ran = await rotate(key, '--setting', 'INSTANTLY_READ_KEY', '--wait', '1', '--json');
  expect(ran.code).toBe(1);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    behind: 1,
    processes: [expect.stringMatching(new RegExp(`^process ${child.pid} on .* \\(heard of \\d+ s ago\\)$`))],
    revoked: false,
    stillValid: [
      { id: idOf(rig.fake.keys['old']), name: 'old', why: expect.stringContaining('does not use the new key') },
    ],
  });
  expect(await callFake(rig.fake, 'GET /webhooks', { key: String(rig.fake.keys['old']) })).toMatchObject({
    status: 200,
  });
  // The one that takes its place has the new key.
  await rig.restart();
  const again = await rotate(key, '--setting', 'INSTANTLY_READ_KEY');
  expect(again).toMatchObject({ code: 0, stdout: 'INSTANTLY_READ_KEY is replaced, and the old key is revoked.\n' });
  expect(await callFake(rig.fake, 'GET /webhooks', { key: String(rig.fake.keys['old']) })).toMatchObject({
    status: 401,
  });
});

test('a key that was exposed and deleted at once can be replaced', async () => {
  await start();
  await deleteByHand(rig.fake.keys['old']);
  const key = rig.fake.keys['new'] ?? '';
  const refused = await rotate(key, '--setting', 'INSTANTLY_READ_KEY');
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot be told: Instantly does not know the key in use any more'),
  });
  const ran = await rotate(key, '--setting', 'INSTANTLY_READ_KEY', '--unverified');
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('the old key is not valid any more') });
});

test('a key that Instantly takes though it was deleted is not revoked yet', async () => {
  await start();
  rig.fake.fail('DELETE /api-keys/{id}', 404);
  const key = rig.fake.keys['new'] ?? '';
  const ran = await rotate(key, '--setting', 'INSTANTLY_READ_KEY');
  expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('takes it still') });
  expect((await rotate(key, '--setting', 'INSTANTLY_READ_KEY')).code).toBe(0);
});

test('a key that another setting holds too is not revoked', async () => {
  await start();
  rig.set({ INSTANTLY_WRITE_KEY: rig.fake.keys['old'] ?? '' });
  await rig.receiver.stop();
  await rig.restart();
  const ran = await rotate(rig.fake.keys['new'] ?? '', '--setting', 'INSTANTLY_READ_KEY');
  expect(ran).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(
      'INSTANTLY_WRITE_KEY holds it too: replace it there with --setting INSTANTLY_WRITE_KEY',
    ),
  });
  expect(await callFake(rig.fake, 'GET /webhooks', { key: String(rig.fake.keys['old']) })).toMatchObject({
    status: 200,
  });
});

test.each([
  ['a key that Instantly does not know', () => 'not-a-key-of-anybody', '(401)'],
  ['the key in use', () => rig.fake.keys['old'] ?? '', 'it is the key that INSTANTLY_READ_KEY holds already'],
  ['nothing', () => '', 'holds is no API key'],
  ['two lines', () => 'one\ntwo', 'holds is no API key'],
  ['one that lacks a scope', () => rig.fake.keys['narrow'] ?? '', 'lacks webhook_events:read'],
  ['one that may do everything', () => rig.fake.keys['wide'] ?? '', 'may do everything in the workspace (all:all)'],
])('%s changes nothing', async (_name, key, message) => {
  await start();
  const ran = await rotate(key(), '--setting', 'INSTANTLY_READ_KEY');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(message);
  expect(readFileSync(file(), 'utf8')).toBe(`${rig.fake.keys['old']}\n`);
});

test('one that was refused is in the audit log', async () => {
  await start();
  await rotate(rig.fake.keys['wide'] ?? '', '--setting', 'INSTANTLY_READ_KEY');
  const entries = await rig.json<{ action: string; result: string; metadata: object }[]>('audit', 'tail');
  expect(entries.filter(({ action }) => action === 'secret.rotate')).toMatchObject([
    { result: 'failure', metadata: { step: 'check', setting: 'INSTANTLY_READ_KEY', reason: 'failed' } },
  ]);
});

test('one whose workspace cannot be told needs a word', async () => {
  await start();
  const key = rig.fake.keys['blind'] ?? '';
  // Neither may the key in use say which workspace it is of, nor list keys.
  const hide = (): void => {
    rig.fake.fail('GET /workspaces/current', 403, 2);
    rig.fake.fail('GET /api-keys', 403, 2);
  };
  hide();
  const refused = await rotate(key, '--setting', 'INSTANTLY_READ_KEY');
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot be told: neither key has workspaces:read'),
  });
  expect(readFileSync(file(), 'utf8')).toBe(`${rig.fake.keys['old']}\n`);
  hide();
  const ran = await rotate(key, '--setting', 'INSTANTLY_READ_KEY', '--unverified');
  expect(ran).toMatchObject({ code: 1, stdout: expect.stringContaining('is still valid') });
  expect(readFileSync(file(), 'utf8')).toBe(`${key}\n`);
});

test('a key of another workspace is known as such', async () => {
  await start();
  const other = await startFakeInstantly({ workspace: { id: '0f9c2f0e-7a51-4a3e-9c55-3b8f6d1e2a90' } });
  const readerOf = (apiUrl: string, key: string): InstantlyReader => {
    const readKey = { setting: 'INSTANTLY_READ_KEY', secret: new Secret(key) } as const;
    const { reader } = openAccounts({ apiUrl, readKey, writeKey: undefined }, 'operator', () => undefined);
    if (reader === undefined) throw new Error('no key, no reader');
    return reader;
  };
  const check = (apiUrl: string, key: string) =>
    checkNewKey({
      next: new Secret(key),
      current: readerOf(rig.fake.url, rig.fake.keys.read),
      proposed: readerOf(apiUrl, key),
      purpose: 'reading',
      deployment: 'production',
      autoResume: true,
      signal: AbortSignal.timeout(10_000),
    });
  expect((await check(other.url, other.keys.read)).workspace).toBe('other');
  expect((await check(rig.fake.url, rig.fake.keys['new'] ?? '')).workspace).toBe('same');
  await other.close();
});

test('a setting that holds its value cannot be replaced by a command', async () => {
  await start();
  const ran = await rotate('a-new-key-for-writing-1', '--setting', 'INSTANTLY_WRITE_KEY');
  expect(ran.code).toBe(78);
  expect(ran.stderr).toContain('INSTANTLY_WRITE_KEY is set by its value');
});
