import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from '@jest/globals';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';
import { type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const TOKEN = 'token-of-this-test-0001';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** In another shell, with nothing in its environment: what it writes. */
async function paste(folder: string, script: string): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  return (await promisify(execFile)('sh', ['-c', script], { cwd: folder, env })).stdout;
}

async function linesToPaste(running: ReceiverProcess): Promise<{ curl: string | undefined; send: string }> {
  // The notice goes out in the same turn as the log line that the port was read from.
  while (!/ send reply_received --url \S+\n/.test(running.stderr()))
    await new Promise((resolve) => setTimeout(resolve, 10));
  const lines = running.stderr().split('\n');
  return {
    curl: lines.find((line) => line.startsWith('  curl ')),
    send: lines.find((line) => / send reply_received /.test(line)) ?? '',
  };
}

/** What curl would send, whether or not this machine has it. */
async function curl(folder: string, line: string): Promise<number> {
  const script = `curl() { for word in "$@"; do printf '%s\\n' "$word"; done; }; ${line}`;
  const [, header = '', , body = '', url = ''] = (await paste(folder, script)).split('\n');
  const [name = '', value = ''] = header.split(': ');
  const { status } = await fetch(url, { method: 'POST', headers: { [name]: value }, body });
  return status;
}

interface Case {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
  readonly hasCurl: boolean;
}

const CASES: readonly Case[] = [
  { what: 'made by the start', files: {}, env: {}, hasCurl: true },
  { what: 'in .env', files: { '.env': `INSTANTLY_WEBHOOK_TOKEN=${TOKEN}\n` }, env: {}, hasCurl: true },
  { what: 'in quotes in .env', files: { '.env': `INSTANTLY_WEBHOOK_TOKEN="${TOKEN}"\n` }, env: {}, hasCurl: false },
  {
    what: 'two in .env, for the header authorization',
    files: { '.env': `INSTANTLY_WEBHOOK_TOKEN=${TOKEN},${TOKEN}-old\nINSTANTLY_WEBHOOK_TOKEN_HEADER=authorization\n` },
    env: {},
    hasCurl: false,
  },
  {
    what: 'in a file with an odd name',
    files: { "it's/a token": `${TOKEN}\n`, '.env': `INSTANTLY_WEBHOOK_TOKEN_FILE="it's/a token"\n` },
    env: {},
    hasCurl: true,
  },
];

test.each(CASES)(
  'what a start prints works when pasted: a token $what',
  async ({ files, env, hasCurl }) => {
    const folder = makeFolder();
    mkdirSync(join(folder, "it's"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    const running = await spawnReceiverIn(folder, env);
    ends.push(async () => {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const lines = await linesToPaste(running);
    expect(lines.curl !== undefined).toBe(hasCurl);
    if (lines.curl !== undefined) expect(await curl(folder, lines.curl)).toBe(200);
    expect(await paste(folder, lines.send)).toMatch(/200/);
    expect(running.stderr()).not.toContain(TOKEN);
  },
  60_000,
);

test('the first start says where to post, how it is proven, where data and secrets lie, and never what they are', async () => {
  const folder = makeFolder();
  const running = await spawnReceiverIn(folder, {});
  ends.push(async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await linesToPaste(running);
  const notice = running.stderr();
  expect(notice).toContain(`http://127.0.0.1:${running.port}/webhooks/instantly`);
  expect(notice).toContain('the shared token in x-webhook-secret or the signature (body) in x-instantly-signature');
  expect(notice).toContain(running.file);
  for (const name of ['webhook-token', 'instantly-secret', 'audit-key']) {
    expect(notice).toContain(join(folder, 'data', name));
    const secret = readFileSync(join(folder, 'data', name), 'utf8').trim();
    expect(secret.length).toBeGreaterThan(16);
    expect(notice + JSON.stringify(running.log.lines)).not.toContain(secret);
  }
}, 60_000);

test('what lies in the environment alone is named, since another shell has it not', async () => {
  const folder = makeFolder();
  const running = await spawnReceiverIn(folder, { INSTANTLY_WEBHOOK_TOKEN: TOKEN });
  ends.push(async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const { curl: line } = await linesToPaste(running);
  expect(line).toBeUndefined();
  expect(running.stderr()).toContain(`Try it, from ${folder}, with INSTANTLY_WEBHOOK_TOKEN set as here:`);
}, 60_000);

/** After a rotation that has retired the token at once. */
async function startRotated(): Promise<{ rig: InstantlyRig; isRefused(): Promise<boolean> }> {
  const rig = await startRig();
  ends.push(() => rig.stop());
  await rig.json('webhooks', 'register');
  await rig.json('secrets', 'rotate', '--keep-hours', '0');
  const isRefused = async () => {
    const headers = { 'x-webhook-secret': rig.token };
    const { status } = await fetch(`${rig.receiver.url}/webhooks/instantly`, { method: 'POST', headers, body: '{}' });
    return status === 401;
  };
  while (!(await isRefused()));
  return { rig, isRefused };
}

test('after a rotation, send and what a start prints use the token that it has written into .env', async () => {
  const { rig, isRefused } = await startRotated();
  const answers = await rig.json<{ status: number }[]>('send');
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await rig.receiver.stop();
  await rig.restart();
  const lines = await linesToPaste(rig.receiver);
  expect(await curl(rig.folder, lines.curl ?? '')).toBe(200);
  expect(await paste(rig.folder, lines.send)).toMatch(/200/);
  expect(await isRefused()).toBe(true);
}, 120_000);

test('where something has put the old token back into .env, send and what a start prints work still', async () => {
  const { rig, isRefused } = await startRotated();
  rig.set({});
  const answers = await rig.json<{ status: number }[]>('send');
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await rig.receiver.stop();
  await rig.restart();
  const lines = await linesToPaste(rig.receiver);
  expect(lines.curl).toBeUndefined();
  expect(await paste(rig.folder, lines.send)).toMatch(/200/);
  // Nothing of it is left.
  const entries = await rig.json<{ action: string; userId: string }[]>('audit', 'tail', '--limit', '1000');
  const made = entries.filter(({ action }) => action === 'secret.make');
  expect(made).toHaveLength(2);
  expect(
    entries.filter(({ action, userId }) => action === 'secret.retire' && userId.startsWith('operator:')),
  ).toHaveLength(2);
  expect(await isRefused()).toBe(true);
}, 120_000);
