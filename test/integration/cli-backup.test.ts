import { once } from 'node:events';
import {
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { openStore } from '../support/make-store.ts';
import { endOf, runCommand, runJson, spawnCommand } from '../support/run-command.ts';
import { type ReceiverProcess, spawnReceiver } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const MEGABYTE = 1024 * 1024;

let receiver: ReceiverProcess;

const run = (...words: string[]) => runCommand(receiver.folder, words);

beforeAll(async () => {
  receiver = await spawnReceiver({});
});

afterAll(() => receiver.stop());

test('writes a copy while the receiver answers, which is a whole store of its own', async () => {
  const address = ['--url', `${receiver.url}/webhooks/instantly`];
  await runJson(receiver.folder, ['send', ...address]);
  const sending = runJson<{ answers: unknown }>(receiver.folder, ['send', '--count', '1000', ...address]);
  const { bytes, ...rest } = await runJson<{ bytes: number }>(receiver.folder, ['backup', 'copy.db']);
  const copy = join(receiver.folder, 'copy.db');
  expect(rest).toEqual({ file: copy, integrity: 'ok' });
  expect([statSync(copy).size, statSync(copy).mode & 0o777]).toEqual([bytes, 0o600]);
  expect(await sending).toMatchObject({ answers: [{ status: 200, answer: 'accepted', count: 1_000 }] });

  const [entry] = await runJson<AuditEntry[]>(receiver.folder, ['audit', 'export', '--action', 'store.backup']);
  expect(entry).toMatchObject({ userId: 'operator:tester', resource: 'store', result: 'success', metadata: { bytes } });

  const env = { DATABASE_URL: 'sqlite:copy.db', AUDIT_KEY_FILE: 'data/audit-key' };
  const events = await runJson<unknown[]>(receiver.folder, ['events', 'list', '--limit', '5000'], { env });
  expect(events.length).toBeGreaterThanOrEqual(20);
  expect(await runJson(receiver.folder, ['audit', 'verify'], { env })).toMatchObject({ ok: true });
});

test('never replaces a file', async () => {
  const file = join(receiver.folder, 'precious');
  writeFileSync(file, 'precious');
  expect(await run('backup', 'precious')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'error: precious exists already and is left as it is; name a new file\n',
  });
  expect(readFileSync(file, 'utf8')).toBe('precious');
});

test('a copy that cannot be written fails, is audited so, and leaves nothing', async () => {
  const { code, stdout, stderr } = await run('backup', 'no/such/folder/copy.db');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^error: /);
  const [entry] = await runJson<AuditEntry[]>(receiver.folder, ['audit', 'tail', '--limit', '1']);
  expect(entry).toMatchObject({ action: 'store.backup', result: 'failure' });
  expect(existsSync(join(receiver.folder, 'no'))).toBe(false);
});

test('SIGINT ends it and leaves no part of a copy', async () => {
  const folder = makeFolder();
  try {
    const store = await openStore(folder);
    for (let made = 0; made < 60; made += 1) {
      const content = `${made} ${'x'.repeat(MEGABYTE)}`;
      await store.commit(makeBatch({ accepts: [makeAccept({ content })] }));
    }
    await store.close();
    const watcher = watch(folder);
    const child = spawnCommand(folder, ['backup', 'copy.db']);
    const ended = endOf(child);
    for await (const [, name] of onChange(watcher)) if (String(name).startsWith('copy.db.partial')) break;
    child.kill('SIGINT');
    const { code } = await ended;
    watcher.close();
    const left = readdirSync(folder).filter((name) => name !== 'data');
    // On a very fast disk the copy may be done before the signal is heard.
    if (code === 'SIGINT') expect(left.filter((name) => name !== 'copy.db')).toEqual([]);
    else expect([code, left]).toEqual([130, ['copy.db']]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function* onChange(watcher: ReturnType<typeof watch>): AsyncGenerator<[string, string | Buffer | null]> {
  for (;;) yield (await once(watcher, 'change')) as [string, string | Buffer | null];
}

test('the check of a copy tells of damage', async () => {
  const file = join(receiver.folder, 'damaged.db');
  const db = new DatabaseSync(file);
  db.exec('CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX t_by_b ON t (b);');
  for (let a = 0; a < 2_000; a += 1) db.prepare('INSERT INTO t (b) VALUES (?)').run(`text ${a}`);
  db.close();
  const check = async (): Promise<string[]> => {
    const thread = new Worker(new URL('../../src/cli/check-copy-thread.ts', import.meta.url), { workerData: file });
    const [faults] = (await once(thread, 'message')) as [string[]];
    return faults;
  };
  expect(await check()).toEqual([]);
  const text = readFileSync(file).lastIndexOf('text 1234');
  writeSync(openSync(file, 'r+'), 'test', text);
  expect((await check()).length).toBeGreaterThan(0);
});
