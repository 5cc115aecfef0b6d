import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkStore, NO_FAULTS } from '../support/check-store.ts';
import { TOKEN } from '../support/credentials.ts';
import { ask } from '../support/post.ts';
import { type ReceiverProcess, spawnReceiver } from '../support/spawn-receiver.ts';
import { SteadyLoad } from '../support/steady-load.ts';

const CLIENTS = 8;
/** Milliseconds: the store waits two seconds for a lock. */
const REFUSED_WITHIN_MS = 4_000;

let receiver: ReceiverProcess;
let load: SteadyLoad;

beforeEach(async () => {
  receiver = await spawnReceiver({ INSTANTLY_WEBHOOK_TOKEN: TOKEN });
  load = new SteadyLoad(CLIENTS);
  await load.aim(receiver.port);
});

afterEach(async () => {
  await load.end();
  await receiver.stop();
});

/** Kills the receiver, so that what it had in mind alone is gone, and looks at what is there. */
async function checkAfterKill(): Promise<void> {
  const refused = load.answers.filter(({ status }) => status !== 200);
  expect(refused.map(({ status, retryAfter }) => [status, retryAfter])).toEqual(refused.map(() => [503, '2']));
  receiver.child.kill('SIGKILL');
  await Promise.all([receiver.ended, load.end()]);
  const { faults, audit } = await checkStore(receiver.folder, load.events);
  expect(faults).toEqual(NO_FAULTS);
  expect(audit).toMatchObject({ ok: true });
}

/** A process that holds the file's write lock until it is ended. */
async function lock(file: string): Promise<ChildProcess> {
  const code = `
    const db = new (require('node:sqlite').DatabaseSync)(process.argv[1], { timeout: 10_000 });
    db.exec('BEGIN IMMEDIATE');
    console.log('held');
    setInterval(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ['--eval', code, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('while another process holds the lock: 503 in good time, and on again by itself', async () => {
  const holder = await lock(receiver.file);
  // Each sender several times: those who come later wait no longer than the first.
  for (let refusals = 0; refusals < 4 * CLIENTS; refusals += 1) await load.next(503);
  holder.kill('SIGKILL');
  await once(holder, 'close');
  await load.next(200);
  const waits = load.answers.filter(({ status }) => status === 503).map(({ waited }) => waited);
  expect(Math.max(...waits)).toBeLessThan(REFUSED_WITHIN_MS);
  // Told at its beginning and its end, not at every request.
  await receiver.log.waitForMessage('commits succeed again');
  const told = receiver.log.lines.filter(({ msg }) => String(msg).startsWith('a commit failed'));
  expect(told).toHaveLength(1);
  await checkAfterKill();
});

test('its write-ahead log deleted: nothing answered 200 before or after is lost', async () => {
  rmSync(`${receiver.file}-wal`);
  await load.next(503);
  await load.next(200);
  await checkAfterKill();
});

test('its folder moved away: 503, no new file in its place, and on again once it is back', async () => {
  const folder = dirname(receiver.file);
  renameSync(folder, `${folder}-elsewhere`);
  for (let refusals = 0; refusals < 4 * CLIENTS; refusals += 1) await load.next(503);
  expect((await ask(receiver, { method: 'get', path: '/readyz' })).status).toBe(503);
  expect((await ask(receiver, { method: 'get', path: '/healthz' })).status).toBe(200);
  expect(existsSync(receiver.file)).toBe(false);
  renameSync(`${folder}-elsewhere`, folder);
  await load.next(200);
  await checkAfterKill();
});
