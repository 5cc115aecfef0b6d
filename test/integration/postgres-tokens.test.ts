import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { freePort } from '../support/free-port.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { freshBody } from '../support/payloads.ts';
import { post } from '../support/post.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addressOf } from '../support/postgres-broker.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { endOf, runCommand, runJson, spawnCommand } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';

const TOKEN = 'token-of-the-settings-0001';

let server: PostgresServer;
let database: TestDatabase;
let folder: GuardedFolder;
let fake: FakeInstantly;
let port: number;
let running: ReceiverProcess[];

beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server.remove());

beforeEach(async () => {
  // The last test may have failed while it was away.
  await server.halt();
  await server.start();
  database = await createTestDatabase(addressOf(server));
  folder = guardFolder('receiver-postgres-tokens-');
  port = await freePort();
  fake = await startFakeInstantly({ deliverTo: `http://127.0.0.1:${port}` });
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((process) => process.stop()));
  await fake.close();
  await database.close();
  await folder.remove();
});

function environment(): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: database.url,
    AUDIT_KEY: 'the one key of all processes',
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    PUBLIC_URL: 'https://hooks.example.com',
    INSTANTLY_API_URL: fake.url,
    INSTANTLY_READ_KEY: fake.keys.read,
    INSTANTLY_WRITE_KEY: fake.keys.all,
  };
}

async function start(name: string, env: NodeJS.ProcessEnv = {}): Promise<ReceiverProcess> {
  const place = join(folder.path, name);
  mkdirSync(place, { recursive: true });
  const receiver = await spawnReceiverIn(place, { ...environment(), ...env });
  running.push(receiver);
  return receiver;
}

const options = () => ({ env: environment() });
const statusOf = async (receiver: ReceiverProcess, token: string): Promise<number> =>
  (await post(receiver, freshBody(), { 'x-webhook-secret': token })).status;
const carried = (): string => String(fake.webhooks()[0]?.headers?.['x-webhook-secret']);

test('a rotation waits for every replica, and a start without the database goes by the copy', async () => {
  const first = await start('first', { PORT: String(port) });
  const second = await start('second');
  await runJson(folder.path, ['webhooks', 'register'], options());
  await runJson(folder.path, ['secrets', 'rotate', '--keep-hours', '0'], options());
  expect(carried()).not.toBe(TOKEN);
  for (const receiver of [first, second]) {
    expect(await statusOf(receiver, carried())).toBe(200);
  }
  // Each of them, by itself, lets the old one in no more.
  for (const receiver of [first, second]) {
    while ((await statusOf(receiver, TOKEN)) !== 401);
  }
  await second.stop();
  await server.halt();
  const again = await start('second');
  expect(await statusOf(again, carried())).toBe(200);
  expect(await statusOf(again, TOKEN)).toBe(401);
  await server.start();
});

test('a start without the database in a new folder goes by Instantly, and sends the rest back until it knows', async () => {
  const first = await start('first', { PORT: String(port) });
  await runJson(folder.path, ['webhooks', 'register'], options());
  await runJson(folder.path, ['secrets', 'rotate', '--keep-hours', '0'], options());
  while ((await statusOf(first, TOKEN)) !== 401);
  await server.halt();
  const other = await start('other');
  expect(await statusOf(other, carried())).toBe(200);
  const refused = await post(other, freshBody(), { 'x-webhook-secret': TOKEN });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  await server.start();
  while ((await statusOf(other, TOKEN)) !== 401);
  expect(await statusOf(other, carried())).toBe(200);
});

test('without a key for Instantly the first token of the settings is the current one meanwhile', async () => {
  await server.halt();
  const keys = { INSTANTLY_READ_KEY: '', INSTANTLY_WRITE_KEY: '' };
  const tokens = 'token-that-is-current-0002';
  const alone = await start('alone', { ...keys, INSTANTLY_WEBHOOK_TOKEN: `${tokens},${TOKEN}` });
  expect(await statusOf(alone, tokens)).toBe(200);
  expect(await statusOf(alone, TOKEN)).toBe(503);
  const { log } = alone;
  expect(log.lines.some(({ level, msg }) => level === 50 && String(msg).includes('only the first of'))).toBe(true);
  await server.start();
  while ((await statusOf(alone, TOKEN)) !== 200);
});

test('a replica that has not told that it knows the new token holds the rotation up, and nothing is refused', async () => {
  const first = await start('first', { PORT: String(port) });
  const second = await start('second');
  await runJson(folder.path, ['webhooks', 'register'], options());
  // It stands still: neither gone nor able to learn of anything.
  second.child.kill('SIGSTOP');
  const held = await runCommand(folder.path, ['secrets', 'rotate', '--wait', '5'], options());
  expect(held).toMatchObject({ code: 1, stderr: expect.stringContaining('1 of 2 receivers do not know the token') });
  expect(carried()).toBe(TOKEN);
  expect(await statusOf(first, TOKEN)).toBe(200);
  const rotating = spawnCommand(folder.path, ['secrets', 'rotate', '--wait', '60', '--json'], options());
  second.child.kill('SIGCONT');
  expect(await endOf(rotating)).toMatchObject({ code: 0 });
  expect(carried()).not.toBe(TOKEN);
  expect(await statusOf(second, carried())).toBe(200);
});
