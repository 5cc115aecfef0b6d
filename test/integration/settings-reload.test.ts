import { existsSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runJson } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const OLD = 'token-before-the-change-1';
const NEW = 'token-after-the-change-22';

let folder: string;
let receiver: ReceiverProcess;

interface Entry {
  readonly action: string;
  readonly result: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

beforeEach(() => {
  folder = makeFolder();
});

afterEach(() => receiver.stop());

const at = (name: string): string => join(folder, name);

async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
  receiver = await spawnReceiverIn(folder, env);
}

function ask(token: string): Promise<number> {
  const body = JSON.stringify({ event_type: 'email_sent', at: Math.random() });
  const headers = { 'x-webhook-secret': token };
  return fetch(`${receiver.url}/webhooks/instantly`, { method: 'POST', headers, body }).then(({ status }) => status);
}

const reloads = async (): Promise<Entry[]> =>
  (await runJson<Entry[]>(folder, ['audit', 'tail', '--limit', '1000'])).filter(
    ({ action }) => action === 'settings.reload',
  );

test('the file of a secret with other content is read anew, without a word to the process', async () => {
  writeFileSync(at('token'), `${OLD}\n`);
  await start({ INSTANTLY_WEBHOOK_TOKEN_FILE: 'token' });
  expect(await ask(OLD)).toBe(200);
  writeFileSync(at('token.new'), `${NEW},${OLD}\n`);
  renameSync(at('token.new'), at('token'));
  await receiver.log.waitForMessage('new settings are in force');
  expect(await ask(NEW)).toBe(200);
  expect(await ask(OLD)).toBe(200);
  writeFileSync(at('token'), `${NEW}\n`);
  await receiver.log.waitFor(
    () => receiver.log.lines.filter(({ msg }) => msg === 'new settings are in force')[1],
    'a second reload',
  );
  expect(await ask(OLD)).toBe(401);
  expect(await ask(NEW)).toBe(200);
  const [entry] = await reloads();
  expect(entry).toMatchObject({
    result: 'success',
    metadata: { reason: 'a file of a secret has changed', changed: ['authentication'] },
  });
});

test('a mounted folder whose link is put elsewhere, as Kubernetes does', async () => {
  for (const [name, token] of [
    ['first', OLD],
    ['second', NEW],
  ] as const) {
    mkdirSync(at(name));
    writeFileSync(join(at(name), 'token'), token);
  }
  symlinkSync('first', at('data-link'));
  symlinkSync('data-link/token', at('token'));
  await start({ INSTANTLY_WEBHOOK_TOKEN_FILE: 'token' });
  expect(await ask(OLD)).toBe(200);
  symlinkSync('second', at('data-link.new'));
  renameSync(at('data-link.new'), at('data-link'));
  await receiver.log.waitForMessage('new settings are in force');
  expect([await ask(OLD), await ask(NEW)]).toEqual([401, 200]);
});

test('SIGHUP reads .env anew; what cannot change is named, what cannot be used changes nothing', async () => {
  const write = (...lines: string[]): void => writeFileSync(at('.env'), lines.map((line) => `${line}\n`).join(''));
  write(`INSTANTLY_WEBHOOK_TOKEN=${OLD}`);
  await start();
  const metrics = (token?: string): Promise<number> =>
    fetch(`${receiver.url}/metrics`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }).then(
      ({ status }) => status,
    );
  expect(await metrics()).toBe(200);

  write(`INSTANTLY_WEBHOOK_TOKEN=${NEW}`, 'METRICS_TOKEN=token-of-the-scraper-1', 'RETENTION_DAYS=7');
  receiver.child.kill('SIGHUP');
  await receiver.log.waitForMessage('new settings are in force');
  expect([await ask(OLD), await ask(NEW)]).toEqual([401, 200]);
  expect([await metrics(), await metrics('token-of-the-scraper-1')]).toEqual([401, 200]);
  const later = await receiver.log.waitForMessage('other settings have changed too: they need a restart');
  expect(later['settings']).toEqual(['retentionMs']);

  write('INSTANTLY_WEBHOOK_TOKEN=tiny-value-7', 'RETENTION_DAYS=never');
  receiver.child.kill('SIGHUP');
  const refused = await receiver.log.waitForMessage('the new settings cannot be used; the old ones stay in force');
  expect(refused['faults']).toHaveLength(2);
  expect(JSON.stringify(refused)).not.toContain('tiny-value-7');
  expect(await ask(NEW)).toBe(200);
  // For the command that looks.
  write(`INSTANTLY_WEBHOOK_TOKEN=${NEW}`);
  expect((await reloads()).map(({ result }) => result)).toEqual(['success', 'failure']);

  receiver.child.kill('SIGTERM');
  expect(await receiver.ended).toBe(0);
});

test('a file that is gone changes nothing', async () => {
  writeFileSync(at('token'), OLD);
  await start({ INSTANTLY_WEBHOOK_TOKEN_FILE: 'token' });
  renameSync(at('token'), at('token.gone'));
  await receiver.log.waitForMessage('the new settings cannot be used; the old ones stay in force');
  expect(await ask(OLD)).toBe(200);
});

/** Locks of the process on the file of the store, as Linux tells of them; elsewhere none is told of, before and after. */
function locksOnStore(): string[] {
  if (!existsSync('/proc/locks')) return [];
  const { ino } = statSync(receiver.file);
  const lines = readFileSync('/proc/locks', 'utf8').split('\n');
  return lines.filter((line) => line.includes(` ${receiver.child.pid} `) && line.includes(`:${ino} `));
}

test('a reload leaves the locks on the store alone', async () => {
  await start({ INSTANTLY_WEBHOOK_TOKEN: OLD });
  expect(await ask(OLD)).toBe(200);
  const before = locksOnStore().length;
  if (process.platform === 'linux') expect(before).toBeGreaterThan(0);
  receiver.child.kill('SIGHUP');
  await receiver.log.waitForMessage('the settings have not changed');
  expect(locksOnStore()).toHaveLength(before);
});
