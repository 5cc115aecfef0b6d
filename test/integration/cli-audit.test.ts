import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditEntry, ChainHead } from '../../src/audit/entry.ts';
import { HeadsFile } from '../../src/audit/heads-file.ts';
import { draft } from '../../src/audit/make-draft.ts';
import type { Accept } from '../../src/inbox/store.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch, makeQuarantine } from '../contract/make-parts.ts';
import { openStore } from '../support/make-store.ts';
import { ENTRY, endOf, runCommand, runJson, spawnCommand } from '../support/run-command.ts';
import { spawnReceiver } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const EXPORT = ['audit', 'export', '--output', 'audit.jsonl'];
const START = Date.UTC(2026, 10, 18, 12);

let folder = '';
let store: SqliteStore;

const run = (...words: string[]) => runCommand(folder, ['audit', ...words]);
const json = <T>(...words: string[]) => runJson<T>(folder, ['audit', ...words]);
const file = (): string => join(folder, 'data/receiver.db');

/** Entries an hour apart. */
async function write(count: number, action = 'test.act', from = 0): Promise<void> {
  const audits = Array.from({ length: count }, (_, index) =>
    draft({
      action,
      userId: 'service',
      resource: 'test',
      result: 'success',
      metadata: { n: from + index },
      at: START + (from + index) * 3_600_000,
    }),
  );
  await store.commit(makeBatch({ audits }));
}

/** What somebody does who can write to the file and has no key. */
function tamper(sql: string, ...values: (string | number)[]): void {
  const db = new DatabaseSync(file());
  db.prepare(sql).run(...values);
  db.close();
}

const numbers = (entries: readonly AuditEntry[]): unknown[] => entries.map(({ metadata }) => metadata['n']);

beforeEach(async () => {
  folder = makeFolder();
  store = await openStore(folder);
  await write(100);
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Verdict {
  readonly ok: boolean;
  readonly entries: number;
  readonly chains: number;
  readonly heads: ChainHead[];
  readonly fault: { readonly seq: number; readonly id: string | null; readonly kind: string; readonly writer: string };
  readonly hint?: string;
}

async function verdict(...words: string[]): Promise<{ code: unknown } & Verdict> {
  const { code, stdout } = await run('verify', '--json', ...words);
  return { code, ...(JSON.parse(stdout) as Verdict) };
}

describe('verify', () => {
  test('a log that holds: counts, and the heads on which all else hangs', async () => {
    await runCommand(folder, ['events', 'list']);
    const [theirs] = await json<AuditEntry[]>('tail', '--limit', '1');
    const before = readFileSync(file());
    const found = await verdict();
    expect(found).toEqual({
      code: 0,
      ok: true,
      entries: 103,
      chains: 2,
      // The command's chain names the head of the first one.
      heads: [{ writer: theirs?.writer, seq: 2, hash: theirs?.hash }],
    });
    const { stdout } = await run('verify');
    expect(stdout).toBe(
      `The log holds: 103 entries in 2 chains. Its heads, to be kept elsewhere:\n${theirs?.writer} 2 ${theirs?.hash}\n`,
    );
    expect(readFileSync(file())).toEqual(before);
  });

  test('names the first entry that does not hold', async () => {
    const entry = (await store.tailAudit(50)).entries[0];
    tamper('UPDATE audit_entries SET metadata = ? WHERE seq = ?', '{"n":1}', 80);
    tamper('UPDATE audit_entries SET result = ? WHERE seq = ?', 'failure', entry?.seq ?? 0);
    const found = await verdict();
    expect(found).toMatchObject({ code: 1, ok: false, entries: 101, chains: 1, faultyChains: 1 });
    expect(found.fault).toMatchObject({ kind: 'edited', writer: entry?.writer, seq: entry?.seq, id: entry?.id });
    expect(found.hint).toBeUndefined();
    const { code, stdout } = await run('verify');
    expect(code).toBe(1);
    expect(stdout).toContain(`The log does not hold at entry ${entry?.seq} of chain ${entry?.writer} (${entry?.id}): `);
  });

  test('finds an entry that was removed', async () => {
    tamper('DELETE FROM audit_entries WHERE seq = ?', 40);
    expect(await verdict()).toMatchObject({ code: 1, fault: { kind: 'gap', seq: 41 } });
  });

  test('with another key nothing holds, and it says what that may mean', async () => {
    const { code, stdout } = await runCommand(folder, ['audit', 'verify', '--json'], {
      env: { AUDIT_KEY: 'another-audit-key' },
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      fault: { kind: 'edited', seq: 1 },
      hint: expect.stringContaining('AUDIT_KEY'),
    });
    const { stderr } = await runCommand(folder, ['audit', 'verify'], { env: { AUDIT_KEY: 'another-audit-key' } });
    expect(stderr).toContain('if AUDIT_KEY is not the key with which the log was written, no entry holds');
  });

  test('without a key it ends with 78', async () => {
    rmSync(join(folder, 'data/audit-key'));
    const { code, stdout, stderr } = await run('verify');
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^AUDIT_KEY is not set and /);
  });

  test('--bodies finds a body that is not the one accepted, and an event that no entry names', async () => {
    const accept = (content: string): Accept => {
      const made = makeAccept({ content });
      const { draft: entry } = made.audit;
      const bodySha256 = createHash('sha256').update(content).digest('hex');
      return { ...made, audit: { ...made.audit, draft: { ...entry, metadata: { bodySha256 } } } };
    };
    const held = makeQuarantine('{held');
    const { bodySha256 } = held;
    const quarantine = { ...held, audit: { ...held.audit, draft: { ...held.audit.draft, metadata: { bodySha256 } } } };
    await store.commit(makeBatch({ accepts: ['a', 'b', 'a'].map(accept), quarantines: [quarantine] }));
    expect(await verdict('--bodies')).toMatchObject({ code: 0, ok: true, bodies: 3 });

    tamper(`UPDATE quarantine SET body = X'7b'`);
    expect(await verdict('--bodies')).toMatchObject({ code: 1, ok: false, fault: { kind: 'body', of: 'quarantine' } });
    tamper(`UPDATE events SET body = X'63' WHERE body = X'62'`);
    const faulty = await verdict('--bodies');
    expect(faulty).toMatchObject({
      code: 1,
      fault: { kind: 'body', of: 'event', detail: expect.stringContaining('SHA-256') },
    });
    expect((await run('verify', '--bodies')).stdout).toContain(faulty.fault.id);
    expect(await verdict()).toMatchObject({ code: 0, ok: true });
    tamper('UPDATE events SET id = ? WHERE seq = 1', 'made-up');
    expect(await verdict('--bodies')).toMatchObject({ fault: { id: 'made-up', detail: 'no entry accepted it' } });
  });

  test('--anchor shows that the newest entries were cut off, from its own output or from the log of a receiver', async () => {
    const { stdout } = await run('verify');
    writeFileSync(join(folder, 'plain.txt'), stdout);
    const heads = await store.auditHeads();
    writeFileSync(
      join(folder, 'log.txt'),
      `{"msg":"other"}\n{"time":${Date.now()},"msg":"audit heads","heads":${JSON.stringify(heads)}}\n`,
    );
    for (const anchor of ['plain.txt', 'log.txt'])
      expect(await verdict('--anchor', anchor)).toMatchObject({ code: 0, ok: true });
    tamper('DELETE FROM audit_entries WHERE seq > ?', 90);
    tamper('UPDATE audit_chains SET seq = ?, hash = (SELECT hash FROM audit_entries WHERE seq = 90)', 90);
    expect(await verdict()).toMatchObject({ code: 0, ok: true, entries: 90 });
    for (const anchor of ['plain.txt', 'log.txt']) {
      expect(await verdict('--anchor', anchor)).toMatchObject({
        code: 1,
        fault: { kind: 'anchor', seq: 101, id: null },
      });
    }
  });

  test("the receiver's own file of heads shows a command's chain deleted whole, and newest entries that were cut off", async () => {
    const heads = new HeadsFile({
      file: join(folder, 'data/audit-heads.jsonl'),
      store: 'receiver.db',
      onFault: (error) => expect(error).toBe(undefined),
    });
    await runCommand(folder, ['events', 'list']);
    await heads.write(await store.auditHeads(), Date.now());
    expect(await verdict()).toMatchObject({ code: 0, ok: true, chains: 2 });
    tamper('DELETE FROM audit_entries WHERE chain = ?', 2);
    tamper('DELETE FROM audit_chains WHERE chain = ?', 2);
    expect(await verdict()).toMatchObject({
      code: 1,
      fault: { kind: 'anchor', detail: 'It is named by audit-heads.jsonl beside the store, and its chain is missing.' },
      hint: expect.stringContaining('--no-anchor'),
    });
    expect(await verdict('--no-anchor')).toMatchObject({ code: 0, ok: true });
  });

  test("heads of another store in the receiver's own file, or a line cut off, are not held against this one", async () => {
    const line = (heads: ChainHead[], more = {}) => JSON.stringify({ msg: 'audit heads', ...more, heads });
    const other = [{ writer: 'gone', seq: 9, hash: 'a'.repeat(64) }];
    const own = await store.auditHeads();
    const lines = [line(other), line(other, { store: 'backup.db' }), line(own, { store: 'receiver.db' })];
    writeFileSync(join(folder, 'data/audit-heads.jsonl'), `${lines.join('\n')}\n{"store":"receiver.db","he`);
    expect(await verdict()).toMatchObject({ code: 0, ok: true });
  });

  test('an anchor that holds no head, or is not there, is no proof', async () => {
    writeFileSync(join(folder, 'empty.txt'), 'nothing\n');
    expect(await run('verify', '--anchor', 'empty.txt')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: The anchor holds no head/),
    });
    expect(await run('verify', '--anchor', 'gone.txt')).toMatchObject({
      code: 1,
      stderr: 'error: gone.txt cannot be read (ENOENT)\n',
    });
  });

  test('holds over a log of several pages', async () => {
    for (let from = 100; from < 4_600; from += 500) await write(500, 'test.act', from);
    await runCommand(folder, ['events', 'list']);
    await write(1);
    expect(await verdict()).toMatchObject({ code: 0, ok: true, entries: 4_604, chains: 2 });
  });
});

describe('tail', () => {
  test('prints the newest, the newest last', async () => {
    expect(numbers(await json('tail', '--limit', '3'))).toEqual([97, 98, 99]);
    expect(await json<AuditEntry[]>('tail')).toHaveLength(50);
    const { stdout } = await run('tail', '--limit', '2');
    const at = new Date(START + 99 * 3_600_000).toISOString();
    expect(stdout.split('\n')).toEqual([expect.any(String), `${at}  success  test.act  service  test  n=99`, '']);
  });

  test('leaves no entry of its own', async () => {
    await run('tail');
    expect(numbers(await json('tail', '--limit', '1'))).toEqual([99]);
  });

  test('--follow goes on with what others write, until SIGINT', async () => {
    const child = spawnCommand(folder, ['audit', 'tail', '--follow', '--json', '--limit', '1']);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> =>
      (JSON.parse((await lines.next()).value ?? '{}') as AuditEntry).metadata['n'];
    expect(await next()).toBe(99);
    await write(2, 'test.act', 100);
    expect([await next(), await next()]).toEqual([100, 101]);
    await write(1, 'test.act', 102);
    expect(await next()).toBe(102);
    const ended = endOf(child);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('export', () => {
  const lines = (stdout: string): AuditEntry[] =>
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditEntry);

  test('is every entry in the order of the commits, a line each, and the export is audited', async () => {
    const { code, stdout, stderr } = await run('export');
    expect([code, stderr]).toEqual([0, '']);
    const entries = lines(stdout);
    expect(entries).toEqual((await store.tailAudit(1_000)).entries.slice(0, 101));
    const { entries: own } = await store.tailAudit(1);
    expect(own).toMatchObject([{ action: 'audit.export', userId: 'operator:tester', resource: 'audit', metadata: {} }]);
  });

  test('--json is one array, also of nothing', async () => {
    expect(numbers(await json('export', '--action', 'test.act'))).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(await json('export', '--action', 'dead.replay')).toEqual([]);
  });

  test('of a time and of an action', async () => {
    await write(5, 'other.act', 20);
    const words = ['--since', '2026-11-19T08:00:00Z', '--until', '2026-11-19T11:00:00Z'];
    expect(numbers(await json('export', ...words))).toEqual([20, 21, 22, 20, 21, 22]);
    const both = lines((await run('export', ...words, '--action', 'other.act')).stdout);
    expect(both.map(({ action, metadata }) => [action, metadata['n']])).toEqual(
      [20, 21, 22].map((n) => ['other.act', n]),
    );
    const { entries } = await store.tailAudit(1);
    expect(entries[0]?.metadata).toEqual({
      since: '2026-11-19T08:00:00.000Z',
      until: '2026-11-19T11:00:00.000Z',
      filtered: true,
    });
  });

  test('--output is a new file for this user alone, and never replaces one', async () => {
    for (let from = 100; from < 4_600; from += 500) await write(500, 'test.act', from);
    const output = join(folder, 'audit.jsonl');
    expect(await json('export', '--output', 'audit.jsonl')).toEqual({ file: 'audit.jsonl', entries: 4_601 });
    expect(lines(readFileSync(output, 'utf8'))).toHaveLength(4_601);
    expect(statSync(output).mode & 0o777).toBe(0o600);
    const hash = createHash('sha256').update(readFileSync(output)).digest('hex');
    expect(await run('export', '--output', 'audit.jsonl')).toMatchObject({
      code: 1,
      stderr: 'error: audit.jsonl exists already and is left as it is\n',
    });
    expect(createHash('sha256').update(readFileSync(output)).digest('hex')).toBe(hash);
    expect((await run('export', '--output', 'no/folder/x')).stderr).toBe(
      'error: no/folder/x cannot be written (ENOENT)\n',
    );
  });

  test('a file that cannot be written whole is not left behind', async () => {
    for (let from = 100; from < 4_600; from += 500) await write(500, 'test.act', from);
    // Opened anew, the write-ahead log begins at its start.
    await store.close();
    store = await openStore(folder);
    // A shell of its own, in which no file may grow beyond half of what there is to write.
    const limited = spawnSync('sh', ['-c', 'ulimit -f 1024; exec "$0" "$@"', process.execPath, ENTRY, ...EXPORT], {
      cwd: folder,
      encoding: 'utf8',
      env: {},
    });
    expect([limited.status, limited.stdout]).toEqual([1, '']);
    expect(limited.stderr).toBe('error: audit.jsonl cannot be written whole (EFBIG)\n');
    expect(existsSync(join(folder, 'audit.jsonl'))).toBe(false);
  });
});

test('while a receiver serves, what it and the commands write holds together', async () => {
  const receiver = await spawnReceiver({});
  try {
    const words = ['send', '--url', `${receiver.url}/webhooks/instantly`];
    const rounds = Array.from({ length: 3 }, async () => {
      await runJson(receiver.folder, words);
      await runJson(receiver.folder, ['events', 'list']);
      return runJson<Verdict>(receiver.folder, ['audit', 'verify']);
    });
    for (const found of await Promise.all(rounds)) expect(found.ok).toBe(true);
    receiver.child.kill('SIGTERM');
    await receiver.ended;
    const anchor = join(receiver.folder, 'log.txt');
    writeFileSync(anchor, receiver.log.lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    // The receiver's own file of heads, as it is.
    for (const heads of [anchor, join(receiver.folder, 'data/audit-heads.jsonl')]) {
      const found = await runJson<Verdict>(receiver.folder, ['audit', 'verify', '--anchor', heads]);
      expect(found).toMatchObject({ ok: true });
    }
    const accepted = await runJson<AuditEntry[]>(receiver.folder, ['audit', 'export', '--action', 'webhook.receive']);
    expect(accepted).toHaveLength(60);
  } finally {
    await receiver.stop();
  }
});
