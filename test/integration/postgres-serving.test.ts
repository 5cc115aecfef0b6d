import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { TOKEN, withToken } from '../support/credentials.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { freshBody } from '../support/payloads.ts';
import { ask, post } from '../support/post.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addressOf } from '../support/postgres-broker.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { runCommand, runJson } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';

const PATIENCE_MS = 20_000;
const LOOK_MS = 100;

/** Notes the id of each event it is given. */
const HANDLER = `import { appendFileSync } from 'node:fs';
export default {
  name: 'notes',
  events: ['*'],
  handle(event) {
    appendFileSync(process.env.NOTES, event.id + '\\n');
  },
};
`;

let server: PostgresServer;
let database: TestDatabase;
let folder: GuardedFolder;
let notes: string;
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
  folder = guardFolder('receiver-postgres-serving-');
  notes = join(folder.path, 'notes');
  writeFileSync(notes, '');
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((process) => process.stop()));
  await database.close();
  await folder.remove();
});

function environment(): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: database.url,
    AUDIT_KEY: 'the one key of all processes',
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    NOTES: notes,
  };
}

async function start(name: string, env: NodeJS.ProcessEnv = {}, handlers = false): Promise<ReceiverProcess> {
  const place = join(folder.path, name);
  mkdirSync(join(place, 'handlers'), { recursive: true });
  if (handlers) writeFileSync(join(place, 'handlers/notes.mjs'), HANDLER);
  const receiver = await spawnReceiverIn(place, { ...environment(), ...env });
  running.push(receiver);
  return receiver;
}

const noted = (): string[] => readFileSync(notes, 'utf8').split('\n').filter(Boolean);

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it did not come true: ${what}`);
    await pause(LOOK_MS);
  }
}

async function accept(receiver: ReceiverProcess, body = freshBody()): Promise<{ status: string; id: string }> {
  const answer = await post(receiver, body, withToken);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text) as { status: string; id: string };
}

const ready = async (receiver: ReceiverProcess) => {
  const { status, text } = await ask(receiver, { method: 'get', path: '/readyz' });
  return { ...(JSON.parse(text) as { status: string; reason?: string }), code: status };
};

async function spilled(receiver: ReceiverProcess): Promise<number> {
  const { text } = await ask(receiver, { method: 'get', path: '/metrics' });
  return Number(/^instantly_spilled_events (\d+)$/m.exec(text)?.[1]);
}

describe('on PostgreSQL', () => {
  test('one process does it all, and commands see it', async () => {
    const receiver = await start('all', {}, true);
    const body = freshBody();
    const first = await accept(receiver, body);
    expect(await accept(receiver, body)).toEqual({ status: 'duplicate', id: first.id });
    await until('the handler has run', () => noted().includes(first.id));
    const options = { env: environment() };
    const events = await runJson<{ id: string }[]>(receiver.folder, ['events', 'list'], options);
    expect(events.map(({ id }) => id)).toEqual([first.id]);
    expect(await runJson(receiver.folder, ['audit', 'verify'], options)).toMatchObject({ ok: true });
    receiver.child.kill('SIGTERM');
    expect(await receiver.ended).toBe(0);
  });

  test('receivers take events, and workers run the handlers that only they have', async () => {
    const worker = await start('worker', { ROLE: 'worker', INSTANTLY_WEBHOOK_TOKEN: '' }, true);
    const receiver = await start('receiver', { ROLE: 'receiver' });
    await until('the receiver knows the handlers', async () => {
      await accept(receiver);
      return noted().length > 0;
    });
    const { id } = await accept(receiver);
    await until('the handler has run', () => noted().includes(id));
    expect((await ask(worker, { body: freshBody(), headers: withToken })).status).toBe(404);
    expect(await ready(worker)).toMatchObject({ code: 200, status: 'ok' });
    expect((await ask(worker, { method: 'get', path: '/metrics' })).text).toContain('instantly_handler_runs_total');
  });

  test('answers 200 while the server is away, and has it all there afterwards', async () => {
    const receiver = await start('all', {}, true);
    const known = freshBody();
    const before = await accept(receiver, known);
    await server.halt('SIGKILL');
    const body = freshBody();
    const during = await accept(receiver, body);
    expect(await accept(receiver, body)).toEqual({ status: 'duplicate', id: during.id });
    const alias = await accept(receiver, known);
    expect(await ready(receiver)).toMatchObject({ code: 200, status: 'degraded' });
    expect(await spilled(receiver)).toBe(2);
    await server.start();
    await until('the spill is empty', async () => (await spilled(receiver)) === 0);
    await until('it says that all is well', async () => (await ready(receiver)).status === 'ok');
    await until('the handler has run', () => noted().includes(during.id));
    expect(noted().filter((id) => id === before.id || id === alias.id)).toEqual([before.id]);
    const options = { env: environment() };
    const events = await runJson<{ id: string }[]>(receiver.folder, ['events', 'list'], options);
    expect(new Set(events.map(({ id }) => id))).toEqual(new Set([before.id, during.id]));
    const shown = await runJson<{ id: string }>(receiver.folder, ['events', 'show', alias.id], options);
    expect(shown.id).toBe(before.id);
    expect(await runJson(receiver.folder, ['audit', 'verify'], options)).toMatchObject({ ok: true });
  });

  test('starts while the server is away, and hands over what an earlier process left', async () => {
    const first = await start('one');
    await server.halt('SIGKILL');
    const { id } = await accept(first);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await start('one');
    expect(await spilled(second)).toBe(1);
    const later = await accept(second);
    await server.start();
    await until('the spill is empty', async () => (await spilled(second)) === 0);
    const events = await runJson<{ id: string }[]>(second.folder, ['events', 'list'], { env: environment() });
    expect(events.map((event) => event.id)).toEqual([later.id, id]);
  });

  test('a spill whose receiver is gone is emptied by a command, into the events and the audit log', async () => {
    const lost = await start('lost');
    const { id: before } = await accept(lost);
    await server.halt('SIGKILL');
    const body = freshBody();
    const { id } = await accept(lost, body);
    expect((await post(lost, '{"cut', withToken)).status).toBe(400);
    lost.child.kill('SIGKILL');
    await lost.ended;
    await server.start();
    const elsewhere = join(folder.path, 'elsewhere');
    mkdirSync(elsewhere);
    const options = { env: environment() };
    const spill = join(lost.folder, 'data/spill.db');
    const drained = await runJson<Record<string, unknown>>(elsewhere, ['store', 'drain', spill], options);
    expect(drained).toMatchObject({ events: 1, bodies: 1 });
    expect(await runJson(elsewhere, ['store', 'drain', spill], options)).toMatchObject({ events: 0, entries: 0 });
    const events = await runJson<{ id: string }[]>(elsewhere, ['events', 'list'], options);
    expect(events.map((event) => event.id)).toEqual([id, before]);
    expect(await runJson(elsewhere, ['quarantine', 'list'], options)).toHaveLength(1);
    expect(await runJson(elsewhere, ['audit', 'verify'], options)).toMatchObject({ ok: true });
    const log = await runJson<{ action: string }[]>(elsewhere, ['audit', 'tail'], options);
    expect(log.filter(({ action }) => action === 'store.drain')).toHaveLength(2);
  });

  test('draining takes no file that is not there, not a spill, or not for PostgreSQL', async () => {
    const options = { env: environment() };
    const missing = await runCommand(folder.path, ['store', 'drain', 'nowhere.db'], options);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('there is no file')]);
    writeFileSync(join(folder.path, 'text.db'), 'no database at all, only words'.repeat(50));
    expect((await runCommand(folder.path, ['store', 'drain', 'text.db'], options)).code).toBe(78);
    const sqlite = { env: { ...environment(), DATABASE_URL: '' } };
    const wrong = await runCommand(folder.path, ['store', 'drain', 'text.db'], sqlite);
    expect([wrong.code, wrong.stderr]).toEqual([78, expect.stringContaining('DATABASE_URL must name the PostgreSQL')]);
  });

  test('says what is wrong with its database or its key, and exits 78', async () => {
    await accept(await start('one'));
    const other = start('other', { AUDIT_KEY: 'not the key of the other processes' });
    await expect(other).rejects.toThrow(/ended with 78.*AUDIT_KEY is not the key/s);
    const nowhere = start('nowhere', { DATABASE_URL: `${database.url}_not_there` });
    await expect(nowhere).rejects.toThrow(/ended with 78.*DATABASE_URL/s);
  });
});
