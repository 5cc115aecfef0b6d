import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { launchReceiver, spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const ENTRY = fileURLToPath(new URL('../../bin/instantly-receiver.js', import.meta.url));
const TOKEN = 'token-of-sixteen-or-more';
/** Throws or rejects where nothing catches it, at a signal. */
const STRAY = `data:text/javascript,${encodeURIComponent(
  "process.on('SIGUSR2',()=>{throw new Error('thrown')});process.on('SIGWINCH',()=>{Promise.reject(new Error('rejected'))})",
)}`;

type Output = 'full' | 'stalled' | 'gone';

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = makeFolder();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Starts it with a stdout, a stderr or both that take nothing, and waits until it answers. */
async function start(outputs: { stdout?: Output; stderr?: Output }): Promise<{ child: ChildProcess; url: string }> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [ENTRY, 'serve'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: String(port),
      INSTANTLY_WEBHOOK_TOKEN: TOKEN,
      NODE_OPTIONS: `--import ${STRAY}`,
    },
    stdio: ['ignore', outputs.stdout === 'full' ? full : 'pipe', outputs.stderr === 'full' ? full : 'pipe'],
  });
  closeSync(full);
  children.push(child);
  for (const name of ['stdout', 'stderr'] as const) {
    if (outputs[name] === 'gone') child[name]?.destroy();
    if (outputs[name] === undefined) child[name]?.resume();
  }
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.status === 200) return { child, url };
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    await pause(50);
  }
}

async function post(url: string, n: number): Promise<number> {
  const { status } = await fetch(`${url}/webhooks/instantly`, {
    method: 'POST',
    headers: { 'x-webhook-secret': TOKEN },
    body: JSON.stringify({ event_type: 'email_sent', n }),
  });
  return status;
}

/** Sends a signal and gives how it ended, and after how many milliseconds. */
async function endBy(child: ChildProcess, signal: NodeJS.Signals): Promise<{ code: unknown; ms: number }> {
  const since = performance.now();
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = await ended;
  return { code, ms: performance.now() - since };
}

describe.each<[string, { stdout?: Output; stderr?: Output }]>([
  ['on a full disk', { stdout: 'full', stderr: 'full' }],
  ['whose reader has stalled', { stdout: 'stalled' }],
  ['and stderr, whose readers are gone', { stdout: 'gone', stderr: 'gone' }],
])('with a stdout %s', (_, outputs) => {
  test('deliveries are answered, and SIGTERM ends it in time', async () => {
    const { child, url } = await start(outputs);
    // Their log lines are more than a pipe and the buffer of its reader hold.
    for (let n = 0; n < 600; n += 30) {
      const statuses = await Promise.all(Array.from({ length: 30 }, (__, index) => post(url, n + index)));
      expect(new Set(statuses)).toEqual(new Set([200]));
    }
    const { code, ms } = await endBy(child, 'SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(10_000);
  });

  test.each<NodeJS.Signals>(['SIGUSR2', 'SIGWINCH'])(
    'a fault that nothing catches (%s) ends it too',
    async (signal) => {
      const { child, url } = await start(outputs);
      if (outputs.stdout === 'stalled') for (let n = 0; n < 600; n += 1) await post(url, n);
      const { code, ms } = await endBy(child, signal);
      expect(code).toBe(1);
      expect(ms).toBeLessThan(10_000);
    },
  );
});

test('a command whose output cannot be written says so', async () => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [ENTRY, 'secrets', 'new'], { cwd: folder, stdio: ['ignore', full, 'pipe'] });
  children.push(child);
  closeSync(full);
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const [code] = await once(child, 'close');
  expect([code, errors]).toEqual([1, expect.stringContaining('error: the output cannot be written (ENOSPC)\n')]);
  expect(errors).not.toContain('    at ');
});

test('a second signal ends the time of handlers, and handlers have what .env holds for them', async () => {
  mkdirSync(join(folder, 'handlers'));
  writeFileSync(join(folder, '.env'), 'SLACK_URL=https://x.example/hook\n');
  writeFileSync(
    join(folder, 'handlers', 'hang.mjs'),
    `export default { name: 'hang', events: ['*'], handle(event, { logger }) {
      logger.info({ url: process.env.SLACK_URL, token: process.env.INSTANTLY_WEBHOOK_TOKEN ?? null }, 'hanging');
      return new Promise(() => {});
    } };`,
  );
  const receiver = await spawnReceiverIn(folder, { PATH: process.env['PATH'], INSTANTLY_WEBHOOK_TOKEN: TOKEN });
  children.push(receiver.child);
  expect(await post(receiver.url, 1)).toBe(200);
  const line = await receiver.log.waitForMessage('hanging');
  expect(line).toMatchObject({ url: 'https://x.example/hook', token: null });
  receiver.child.kill('SIGINT');
  await receiver.log.waitForMessage('stopping');
  // One that comes at once is the same one, handed on by npm.
  await pause(700);
  const since = performance.now();
  receiver.child.kill('SIGINT');
  expect(await receiver.ended).toBe(0);
  expect(performance.now() - since).toBeLessThan(5_000);
});

test('a second receiver on the same file says at once whom it waits for, and a signal ends it meanwhile', async () => {
  const env = { PATH: process.env['PATH'], INSTANTLY_WEBHOOK_TOKEN: TOKEN };
  const first = await spawnReceiverIn(folder, env);
  children.push(first.child);
  const second = launchReceiver(folder, env);
  children.push(second.child);
  const whom = process.platform === 'linux' ? ` \\(process ${first.child.pid}\\)` : '';
  const waiting = new RegExp(
    `^another receiver${whom} serves from .*receiver\\.db: waiting for it to stop, 15 s at the most$`,
  );
  await second.log.waitFor(() => second.log.lines.find(({ msg }) => waiting.test(String(msg))), 'for whom it waits');
  const { code, ms } = await endBy(second.child, 'SIGTERM');
  expect(code).toBe(0);
  expect(ms).toBeLessThan(5_000);
  await first.stop();
});
