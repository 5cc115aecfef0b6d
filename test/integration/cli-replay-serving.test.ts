import { EventEmitter, once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { openStore } from '../support/make-store.ts';
import { runCommand, runJson } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiver } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

/** Fails as long as a file is not there. */
const HANDLER = `
  import { existsSync } from 'node:fs';
  export default {
    name: 'crm',
    events: ['reply_received'],
    handle() {
      if (!existsSync('crm-is-back')) throw new Error('the CRM is away');
    },
  };
`;

interface Shown {
  readonly runs: readonly { readonly state: string; readonly attempts: number; readonly lastError: string | null }[];
}

const handlers = makeFolder();
const changes = new EventEmitter();
let receiver: ReceiverProcess;
let store: SqliteStore;

const show = (id: string) => runJson<Shown>(receiver.folder, ['events', 'show', id]);

async function committedRuns(): Promise<number> {
  return (await store.tailAudit(10_000)).entries.filter(({ action }) => action === 'handler.run').length;
}

/** Runs a command and resolves once the receiver has committed another run of a handler. */
async function withRun<T>(work: () => Promise<T>): Promise<T> {
  const before = await committedRuns();
  const result = await work();
  while ((await committedRuns()) === before) await once(changes, 'change', { signal: AbortSignal.timeout(20_000) });
  return result;
}

beforeAll(async () => {
  writeFileSync(join(handlers, 'crm.ts'), HANDLER);
  receiver = await spawnReceiver({ HANDLERS_DIR: handlers, HANDLER_MAX_ATTEMPTS: '1' });
  store = await openStore(receiver.folder);
  store.onForeignChange(() => changes.emit('change'));
});

afterAll(async () => {
  await store.close();
  await receiver.stop();
  rmSync(handlers, { recursive: true, force: true });
});

test('a receiver that serves takes up what the commands set to run again, by itself', async () => {
  const words = ['send', 'reply_received', 'email_sent', '--url', `${receiver.url}/webhooks/instantly`];
  const sent = await withRun(() => runJson<{ type: string; id: string }[]>(receiver.folder, words));
  const [reply = '', other = ''] = sent.map(({ id }) => id);
  expect((await show(other)).runs).toEqual([]);
  expect(await runJson(receiver.folder, ['dead', 'list'])).toMatchObject([
    { eventId: reply, type: 'reply_received', handler: 'crm', attempts: 1 },
  ]);

  writeFileSync(join(receiver.folder, 'crm-is-back'), '');
  const { stdout } = await withRun(() => runCommand(receiver.folder, ['dead', 'replay', '--all']));
  expect(stdout).toBe('1 dead delivery of 1 event will run again.\n');
  expect((await show(reply)).runs).toMatchObject([{ handler: 'crm', state: 'done', attempts: 1 }]);

  await withRun(() => runJson(receiver.folder, ['events', 'replay', '--type', 'reply_received']));
  expect((await show(reply)).runs).toMatchObject([{ state: 'done', attempts: 1 }]);
  expect(await runJson(receiver.folder, ['audit', 'verify'])).toMatchObject({ ok: true });
});

test('a retried body goes to the handlers of the receiver', async () => {
  const words = ['send', '--file', '-', '--json', '--url', `${receiver.url}/webhooks/instantly`];
  const broken = await runCommand(receiver.folder, words, { input: '{"event_type":"reply_received"' });
  expect([broken.code, JSON.parse(broken.stdout)]).toMatchObject([1, [{ status: 400, answer: 'unreadable-body' }]]);
  const [held] = await runJson<{ id: string }[]>(receiver.folder, ['quarantine', 'list']);
  const retry = ['quarantine', 'retry', held?.id ?? '', '--file', '-', '--json'];
  const options = { input: '{"event_type":"reply_received"}' };
  const { stdout } = await withRun(() => runCommand(receiver.folder, retry, options));
  const { id } = JSON.parse(stdout) as { id: string };
  expect((await show(id)).runs).toMatchObject([{ handler: 'crm', state: 'done', attempts: 1 }]);
});
