import { randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { callFake } from '../support/call-fake.ts';
import { hmacHex } from '../support/credentials.ts';
import { findSecrets, formsOf } from '../support/find-secrets.ts';
import { freePort } from '../support/free-port.ts';
import { GIT_ENV, makeRepository } from '../support/git-repository.ts';
import { type InstantlyRig, startRig } from '../support/instantly-rig.ts';
import { type CommandOptions, endOf, runCommand, spawnCommand } from '../support/run-command.ts';

const PATH = '/webhooks/instantly';
const ALWAYS = 10_000;
/** Every way to fail that says something of its own. */
const FAULTS = [401, 403, 'edge', 'broken-json'] as const;
const READING = [
  'webhooks:read',
  'webhook_events:read',
  'campaigns:read',
  'workspaces:read',
  'api_keys:read',
  'audit_logs:read',
];
const HANDLER = `export default { name: 'dies', events: ['*'], handle: () => { throw new Error('it dies'); } };`;

/** Made anew for each run, with characters that encodings change. */
const make = (): string => `s/+${randomBytes(24).toString('base64')}`;
const makePlain = (): string => `s${randomBytes(24).toString('hex')}`;

const secrets = new Map(
  Object.entries({
    'the token of the settings': make(),
    'the second token of the settings': make(),
    'the token after a reload': make(),
    'the key of a relay': make(),
    'the audit key': make(),
    'the token for metrics': make(),
    'the token of the console': make(),
    'a wrong token': make(),
    'a setting that is too short': makePlain().slice(0, 14),
    'a password of PostgreSQL': makePlain(),
    'what the address of somebody else’s webhook holds': makePlain(),
    'what a header of somebody else’s webhook holds': makePlain(),
  }),
);
const secret = (name: string): string => secrets.get(name) ?? '';

/** All that was printed, answered or written, by where. */
const texts = new Map<string, Uint8Array | string>();
/** The commands that were run, by their words without options. */
const exercised = new Set<string>();

let rig: InstantlyRig;

beforeAll(async () => {
  rig = await startRig({
    fake: {
      keys: [
        { name: 'old', scopes: READING },
        { name: 'new', scopes: READING },
      ],
    },
    settings: {
      INSTANTLY_WEBHOOK_TOKEN: `${secret('the token of the settings')},${secret('the second token of the settings')}`,
      INSTANTLY_SECRET: secret('the key of a relay'),
      AUDIT_KEY: secret('the audit key'),
      METRICS_TOKEN: secret('the token for metrics'),
      ADMIN_TOKEN: secret('the token of the console'),
      INSTANTLY_READ_KEY: '',
      INSTANTLY_READ_KEY_FILE: 'read-key',
      INSTANTLY_WATCH_SECONDS: '1',
      HANDLER_MAX_ATTEMPTS: '1',
      LOG_LEVEL: 'trace',
    },
    handlers: { 'dies.mjs': HANDLER },
    prepare: ({ folder, fake }) => {
      writeFileSync(join(folder, 'read-key'), `${fake.keys['old']}\n`);
      chmodSync(join(folder, 'read-key'), 0o600);
      for (const name of ['all', 'read', 'old', 'new']) secrets.set(`the API key "${name}"`, fake.keys[name] ?? '');
    },
  });
}, 120_000);
afterAll(() => rig.stop());

/** @param words those of the command first, then what belongs to this run */
async function run(command: string, words: readonly string[] = [], options: CommandOptions = {}): Promise<unknown> {
  const { code, stdout, stderr } = await runCommand(rig.folder, [...command.split(' '), ...words], options);
  texts.set(`"${command} ${words.join(' ')}" (${texts.size})`, `${stdout}\n${stderr}`);
  exercised.add(command);
  rememberMinted();
  return code;
}

/** Each as it is and with --json. */
async function runBoth(command: string, words: readonly string[] = [], options: CommandOptions = {}): Promise<void> {
  await run(command, words, options);
  await run(command, [...words, '--json'], options);
}

/** While each call of Instantly fails. */
async function runFailing(command: string, words: readonly string[] = []): Promise<void> {
  for (const fault of FAULTS) {
    rig.fake.fail('*', fault, ALWAYS);
    expect([command, fault, await run(command, words)]).toEqual([command, fault, 1]);
    rig.fake.clearFaults();
  }
}

function rememberMinted(): void {
  for (const { headers } of rig.fake.webhooks()) {
    const token = headers?.['x-webhook-secret'];
    const isKnown = token === undefined || [...secrets.values()].includes(token);
    if (!isKnown) secrets.set(`the minted token ${secrets.size}`, token);
  }
}

async function ask(path: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(`${rig.receiver.url}${path}`, init);
  const headers = JSON.stringify([...response.headers]);
  texts.set(`the answer ${texts.size} of ${path.slice(0, 10)}`, `${headers}\n${await response.text()}`);
  return response.status;
}

const post = (
  headers: Record<string, string>,
  body = JSON.stringify({ event_type: 'email_sent', n: Math.random() }),
  path = PATH,
) => ask(path, { method: 'POST', headers, body });

const firstId = (text: string): string => /"id": "([^"]+)"/.exec(text)?.[1] ?? '';

async function idOf(...words: string[]): Promise<string> {
  return firstId((await rig.run(...words, '--json')).stdout);
}

describe('while everything is done that can be done', () => {
  test('the receiver answers whoever asks it', async () => {
    const [token, key] = [secret('the token of the settings'), secret('the key of a relay')];
    const body = '{"event_type":"email_sent"}';
    expect(await post({ 'x-webhook-secret': token })).toBe(200);
    expect(await post({ 'x-webhook-secret': token }, 'no JSON')).toBe(400);
    expect(await post({ 'x-instantly-signature': hmacHex(key, body) }, body)).toBe(200);
    expect(await post({ 'x-webhook-secret': token, 'x-instantly-signature': hmacHex('wrong', body) }, body)).toBe(200);
    const wrong = secret('a wrong token');
    for (const value of [wrong, `Bearer ${wrong}`, `${token} `, `${token}${token}`, `Bearer ${token}`]) {
      await post({ 'x-webhook-secret': value });
      await post({ authorization: value });
      await post({ 'x-instantly-signature': value });
    }
    for (const one of [token, wrong]) {
      expect(await post({}, body, `${PATH}?token=${encodeURIComponent(one)}`)).toBe(401);
      expect(await post({}, body, `/${encodeURIComponent(one)}`)).toBe(404);
    }
    for (const path of ['/metrics', '/healthz', '/readyz', '/']) {
      await ask(path);
      for (const name of ['the token for metrics', 'the token of the console', 'a wrong token']) {
        await ask(path, { headers: { authorization: `Bearer ${secret(name)}` } });
      }
    }
    expect(texts.size).toBeGreaterThan(30);
  });

  test('settings change while it runs, for the better and for the worse', async () => {
    const { log, child } = rig.receiver;
    rig.set({ INSTANTLY_WEBHOOK_TOKEN: secret('the token after a reload') });
    const from = log.lines.length;
    child.kill('SIGHUP');
    await log.waitFor(() => log.lines.slice(from).find(({ msg }) => /settings|secrets/.test(String(msg))), 'a reload');
    rig.set({ INSTANTLY_WEBHOOK_TOKEN: secret('a setting that is too short') });
    const then = log.lines.length;
    child.kill('SIGHUP');
    await log.waitFor(() => log.lines.slice(then).find(({ level }) => Number(level) >= 40), 'a warning');
    expect(await run('webhooks list')).toBe(78);
    const env = {
      METRICS_TOKEN: `${secret('the token for metrics')} and more`,
      ADMIN_TOKEN: secret('a setting that is too short'),
    };
    expect(await run('serve', [], { env })).toBe(78);
    rig.set({});
    child.kill('SIGHUP');
    const password = secret('a password of PostgreSQL');
    const faulty = { DATABASE_URL: `postgres://receiver:${password}@127.0.0.1:notaport/receiver` };
    expect(await run('serve', [], { env: faulty })).toBe(78);
    expect(await run('events list', [], { env: faulty })).toBe(78);
  }, 120_000);

  test('webhooks are looked at, made, tested, resumed and deleted', async () => {
    await callFake(rig.fake, 'POST /webhooks', {
      body: {
        target_hook_url: `https://user:${secret('what the address of somebody else’s webhook holds')}@other.example.com/hook?key=${secret('what the address of somebody else’s webhook holds')}`,
        name: 'other',
        headers: { 'x-api-key': secret('what a header of somebody else’s webhook holds') },
      },
    });
    expect(await run('webhooks register')).toBe(0);
    await run('webhooks register', ['--json']);
    expect(rig.fake.webhooks()).toHaveLength(2);
    await runBoth('webhooks list');
    await runBoth('webhooks test');
    const own = String(rig.fake.webhooks().find(({ name }) => name !== 'other')?.id);
    rig.fake.disable(own);
    await runBoth('webhooks resume', [own]);
    expect(await run('webhooks delete', [String(rig.fake.webhooks()[0]?.id)])).toBe(1);
    for (const words of [['list'], ['register'], ['test'], ['resume'], ['delete', own]]) {
      const [verb = '', ...rest] = words;
      await runFailing(`webhooks ${verb}`, rest);
    }
    expect(await run('webhooks delete', [own, '--json'])).toBe(0);
    expect(await run('webhooks register')).toBe(0);
  }, 300_000);

  test('secrets are rotated, made and looked for', async () => {
    expect(await run('secrets rotate', ['--json'])).toBe(0);
    await runFailing('secrets rotate');
    // Killed in its midst, then taken up.
    rig.fake.fail('PATCH /webhooks/{id}', { afterwards: 401 });
    expect(await run('secrets rotate')).toBe(1);
    expect(await run('secrets rotate')).toBe(0);
    const input = (name: string): CommandOptions => ({ input: `${rig.fake.keys[name]}\n` });
    const words = ['--api-key', '--setting', 'INSTANTLY_READ_KEY'];
    expect(await run('secrets rotate', words, input('old'))).toBe(1);
    expect(await run('secrets rotate', words, { input: `${secret('a wrong token')}\n` })).toBe(1);
    expect(await run('secrets rotate', [...words, '--unverified', '--json'], input('new'))).toBe(0);
    // Refused, since the record can be read.
    await runBoth('secrets reset', ['--yes']);
    // Its own new secret is shown by design, and none of the others.
    await runBoth('secrets new');
    await runBoth('secrets new', ['--kind', 'signature', '--file', 'a-new-key']);
    const repository = makeRepository();
    const [token, key] = [secret('the token of the settings'), rig.fake.keys['new'] ?? ''];
    repository.commit({
      'compose.yml': `INSTANTLY_WEBHOOK_TOKEN: ${token}\nkey: ${key}\n`,
      'b64.txt': Buffer.from(token).toString('base64'),
    });
    repository.commit({ 'compose.yml': 'nothing\n' });
    const env = { PATH: GIT_ENV.PATH };
    expect(await run('secrets scan', [repository.dir], { env })).toBe(1);
    await runBoth('secrets scan', ['--no-history', repository.dir], { env });
    await runBoth('secrets scan', ['.'], { env });
    rmSync(repository.dir, { recursive: true });
  }, 300_000);

  test('events are sent, looked at, fetched back and replayed', async () => {
    expect(await run('send')).toBe(0);
    const closed = `http://127.0.0.1:${await freePort()}${PATH}`;
    await runBoth('send', ['email_sent', '--url', closed]);
    await runBoth('send', ['email_sent', '--url', `${rig.fake.url}/elsewhere`]);
    await runBoth('send', ['--file', '-'], { input: 'no JSON' });
    await runBoth('events list');
    const event = await idOf('events', 'list');
    await runBoth('events show', [event]);
    await run('events show', ['00000000-0000-7000-8000-000000000000']);
    await runBoth('events replay', [event]);
    await runBoth('dead list');
    await runBoth('dead replay', ['--all']);
    await runBoth('dead discard', ['--all', '--yes']);
    await runBoth('quarantine list');
    const held = await idOf('quarantine', 'list');
    await runBoth('quarantine show', [held]);
    await runBoth('quarantine retry', [held]);
    await runBoth('reconcile', ['--all']);
    await runBoth('reconcile', ['--dry-run']);
    await runFailing('reconcile');
  }, 300_000);

  test('the store and the audit log are looked at and copied', async () => {
    const to = `postgres://receiver:${secret('a password of PostgreSQL')}@127.0.0.1:${await freePort()}/receiver`;
    await runBoth('store copy', ['--to', to]);
    writeFileSync(join(rig.folder, 'database-url'), `${to}\n`, { mode: 0o600 });
    await run('store copy', ['--to-file', 'database-url']);
    await run('store drain', ['data/spill.db'], { env: { DATABASE_URL: to } });
    await run('events list', [], { env: { DATABASE_URL: to } });
    await runBoth('backup', ['copy.db']);
    await runBoth('audit tail', ['--limit', '100000']);
    await runBoth('audit verify');
    await runBoth('audit export');
    await runBoth('audit export', ['--output', 'log.jsonl']);
    await runBoth('audit correlate');
    // Refused, since a receiver serves the file.
    await run('audit begin', ['--output', 'old.jsonl', '--yes']);
    await runFailing('audit correlate');
    expect(await run('audit verify', [], { env: { AUDIT_KEY: secret('a wrong token') } })).not.toBe(0);
    const env = { PUBLIC_URL: `http://localhost:${rig.receiver.port}`, PATH: GIT_ENV.PATH };
    await runBoth('doctor', [], { env });
    for (const fault of FAULTS) {
      rig.fake.fail('*', fault, ALWAYS);
      await run('doctor', [], { env });
      rig.fake.clearFaults();
    }
    // The keys it makes are its own and begin with the time, as ours do.
    const keys = ['--key', 'a-key-of-its-own', '--read-key', 'another-key-of-its-own'];
    const fake = spawnCommand(rig.folder, ['fake-instantly', '--port', '0', ...keys]);
    fake.stdout.once('data', () => fake.kill('SIGTERM'));
    fake.stderr.once('data', () => fake.kill('SIGTERM'));
    const { stdout, stderr } = await endOf(fake);
    texts.set('"fake-instantly"', stdout + stderr);
    exercised.add('fake-instantly');
  }, 300_000);

  test('no command was left out', async () => {
    const all = await commandsBelow([]);
    expect(all.length).toBeGreaterThan(20);
    expect(all.filter((command) => !exercised.has(command))).toEqual([]);
  }, 120_000);
});

/** Every command without commands of its own, by what the help says. */
async function commandsBelow(words: readonly string[]): Promise<string[]> {
  const { stdout } = await runCommand(rig.folder, [...words, '--help']);
  const list = stdout.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? '';
  const names = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help');
  if (names.length === 0) return [words.join(' ')];
  const found: string[] = [];
  for (const name of names) found.push(...(await commandsBelow([...words, name])));
  return found;
}

describe('no secret is seen', () => {
  test('where one would be, it would be found', () => {
    const [name = '', text = ''] = [...secrets][0] ?? [];
    for (const form of [
      text,
      encodeURIComponent(text),
      Buffer.from(text).toString('hex'),
      Buffer.from(`Bearer ${text}`).toString('base64'),
      Buffer.from(`user:x${text}y`).toString('base64url'),
      `…${text.slice(5, 20)}…`,
    ]) {
      const found = findSecrets(new Map([['here', `before ${form} after`]]), new Map([[name, text]]));
      expect(found).toHaveLength(1);
      expect(found.join()).not.toContain(text.slice(5, 20));
    }
    expect(formsOf(text).length).toBeGreaterThan(20);
  });

  test('in what was printed and answered, in the log, in the store or beside it', async () => {
    for (const name of ['the token for metrics', 'a wrong token']) {
      await ask('/metrics', { headers: { authorization: `Bearer ${secret(name)}` } });
    }
    rig.receiver.child.kill('SIGTERM');
    await rig.receiver.ended;
    texts.set('the log', rig.receiver.log.lines.map((line) => JSON.stringify(line)).join('\n'));
    texts.set('what the service says on stderr', rig.receiver.stderr());
    for (const file of filesIn(join(rig.folder, 'data'))) texts.set(file, readFileSync(file));
    for (const file of ['copy.db', 'log.jsonl']) texts.set(file, readFileSync(join(rig.folder, file)));
    expect([...secrets.values()].every((text) => text.length >= 14)).toBe(true);
    expect([...secrets.keys()].filter((name) => name.startsWith('the minted token')).length).toBeGreaterThanOrEqual(2);
    expect(findSecrets(texts, secrets)).toEqual([]);
  }, 120_000);
});

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
