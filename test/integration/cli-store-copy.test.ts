import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { Store } from '../../src/inbox/store.ts';
import { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { DOCUMENTS, fillStore, HANDLERS } from '../support/copy-source.ts';
import { TOKEN } from '../support/credentials.ts';
import { holdCopy } from '../support/hold-copy.ts';
import { openStore } from '../support/make-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { postgresUrl } from '../support/postgres-url.ts';
import { endOf, runCommand, runJson, spawnCommand } from '../support/run-command.ts';
import { spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';

const EVENTS = 5_000;
const FEW = 60;

interface Verdict {
  readonly ok: boolean;
  readonly resumed: boolean;
  readonly counts: {
    readonly what: string;
    readonly file: number;
    readonly postgres: number;
    readonly same: boolean;
  }[];
  readonly sha256: { readonly table: string; readonly same: boolean; readonly firstDifference?: number }[];
  readonly auditLog: { readonly ok: boolean; readonly entries: number };
}

/** A store with a few events of every kind, and one with many. */
const small = makeFolder();
const large = makeFolder();
let contents: string[] = [];
let database: TestDatabase;
const stores: PostgresStore[] = [];

beforeAll(async () => {
  await fillStore(small, FEW);
  contents = await fillStore(large, EVENTS);
});

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await database.drop();
});

afterAll(() => {
  for (const folder of [small, large]) rmSync(folder, { recursive: true, force: true });
});

const fileOf = (folder: string): string => join(folder, 'data', 'receiver.db');
const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The address in a file, as it is meant to be given. */
function words(folder: string, ...more: string[]): string[] {
  writeFileSync(join(folder, 'address'), `${database.url}\n`);
  return ['store', 'copy', '--to-file', 'address', ...more];
}

function openTarget(folder: string): PostgresStore {
  const auditKey = readFileSync(join(folder, 'data', 'audit-key'), 'utf8').trim();
  const store = PostgresStore.open({ url: database.url, location: 'a database of the tests', auditKey, serve: false });
  stores.push(store);
  return store;
}

async function makeSchema(): Promise<void> {
  await openTarget(small).connected();
}

/** All of them; by how much they age while they are read, nobody knows. */
async function documentsOf(store: Store) {
  const documents = await store.listDocuments('', 1_000);
  for (const { ageMs } of documents) expect(ageMs).toBeLessThan(3_600_000);
  return documents.map(({ ageMs, ...document }) => document);
}

const overTarget = (folder: string) => ({
  env: { DATABASE_URL: database.url, AUDIT_KEY_FILE: join(folder, 'data', 'audit-key') },
});

describe('a copy', () => {
  test('is killed in each table, goes on each time, and brings everything', async () => {
    await makeSchema();
    const before = hashOf(fileOf(large));
    for (const [table, rows] of [
      ['documents', 1],
      ['events', 3_000],
      ['deliveries', 9_000],
      ['quarantine', 1],
      ['audit entries', 1],
    ] as const) {
      const held = await holdCopy(database, table, rows);
      const child = spawnCommand(large, words(large));
      const ended = endOf(child);
      await held.reached();
      // Meanwhile nobody changes the file, or what they write would be left behind.
      const other = new DatabaseSync(fileOf(large), { timeout: 0 });
      expect(() => other.exec('BEGIN IMMEDIATE')).toThrow('locked');
      other.close();
      child.kill('SIGKILL');
      expect((await ended).code).toBe('SIGKILL');
      await held.release();
    }
    const { code, stdout, stderr } = await runCommand(large, words(large, '--json'));
    expect(stderr).toMatch(/^Going on with the copy to postgres:.* begun at .*: [\d,]+ rows are there\.\n/);
    const verdict: Verdict = JSON.parse(stdout);
    expect(verdict).toMatchObject({ ok: true, resumed: true, auditLog: { ok: true } });
    expect(verdict.counts.filter(({ same }) => !same)).toEqual([]);
    expect(verdict.sha256.filter(({ same }) => !same)).toEqual([]);
    expect(code).toBe(0);
    expect(hashOf(fileOf(large))).toBe(before);
    await expectSameRows(fileOf(large));
  }, 120_000);

  test('can be used like the file, from where the file ended', async () => {
    const first = await runJson<Verdict>(small, words(small));
    expect(first).toMatchObject({ ok: true, resumed: false });
    const [source, target] = [await openStore(small), openTarget(small)];
    try {
      const all = { limit: 10_000 };
      const events = await source.listEvents(all);
      expect(await target.registeredHandlers()).toEqual(HANDLERS);
      expect(await target.firstSeen(['one', 'Two', 'três'], 5)).toEqual(
        await source.firstSeen(['one', 'Two', 'três'], 5),
      );
      expect(await documentsOf(target)).toEqual(
        (await documentsOf(source)).filter(({ name }) => !name.startsWith('presence:')),
      );
      expect((await target.listEvents(all)).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
      expect(await target.listQuarantine(all)).toEqual(await source.listQuarantine(all));
      const { deliveries, quarantined } = await source.counts();
      const pending = deliveries.pending + deliveries.running;
      expect(deliveries.running).toBeGreaterThan(0);
      expect(await target.counts()).toMatchObject({ deliveries: { ...deliveries, pending, running: 0 }, quarantined });

      // A writer that has read it in the file goes on from there.
      expect(await target.writeDocument('full', 'stale', 2)).toBe(false);
      expect(await target.writeDocument('full', 'next', 3)).toBe(true);

      // The same content again is the event it was; new content gets new numbers.
      const [newest] = events;
      const again = { content: 'once and again', timestamp: null };
      const accepts = [makeAccept(again), makeAccept({ content: 'new' })];
      const { accepted } = await target.commit(makeBatch({ accepts }));
      expect(accepted[0]?.status).toBe('duplicate');
      expect(accepted[1]?.status).toBe('accepted');
      const { accepted: inFile } = await source.commit(makeBatch({ accepts: [makeAccept(again)] }));
      expect(accepted[0]?.id).toBe(inFile[0]?.id);
      expect((await target.listEvents({ limit: 2 })).map(({ id }) => id)).toEqual([accepted[1]?.id, newest?.id]);
    } finally {
      await source.close();
    }
  });

  test('keeps what is due, what is held back, and what ran', async () => {
    await runJson(small, words(small));
    const now = Date.now();
    const places = HANDLERS.map(({ handler }) => ({ handler, limit: 10_000 }));
    const request = { now, places, lease: 'a', leaseUntil: now + 60_000 };
    const claimed = await openTarget(small).claim(request);
    const file = new DatabaseSync(fileOf(small), { readOnly: true });
    // What the file says is due, and what ran in it: the latter with its attempt counted.
    const due = file
      .prepare(
        `SELECT e.id || ' ' || d.handler || ' ' || (d.attempts + 1) AS run FROM deliveries d JOIN events e ON e.seq = d.event_seq
          WHERE d.state = 'running' OR (d.state = 'pending' AND d.next_at <= ?)`,
      )
      .all(now);
    file.close();
    const runs = claimed.deliveries.map(({ eventId, handler, attempt }) => `${eventId} ${handler} ${attempt}`);
    expect(runs.sort()).toEqual(due.map(({ run }) => String(run)).sort());
    expect(runs.length).toBeGreaterThan(20);
  });

  test('shows what it compared, leaves an entry in a log that holds, and is not made twice', async () => {
    const { code, stdout, stderr } = await runCommand(small, words(small));
    expect([code, stderr]).toEqual([0, expect.stringContaining('the same AUDIT_KEY')]);
    expect(stdout).toMatch(/│ events +│ +63 │ +63 │ same/);
    expect(stdout).toMatch(new RegExp(`│ documents +│ +${DOCUMENTS.length} │ +${DOCUMENTS.length} │ same`));
    const [, shown] = /│ sha256 of events +│ ([0-9a-f]{16}) │ \1 │ same/.exec(stdout) ?? [];
    expect(stdout).toMatch(/The audit log there holds: \d+ entries in 4 chains\./);
    expect(stdout).not.toContain('DIFFERS');
    const log = ['audit', 'export', '--action', 'store.copy'];
    const entries = await runJson<AuditEntry[]>(small, log, overTarget(small));
    const metadata = { events: 63, eventsSha256: expect.stringMatching(new RegExp(`^${shown}[0-9a-f]{48}$`)) };
    expect(entries).toMatchObject([{ userId: 'operator:tester', resource: 'store', result: 'success', metadata }]);
    expect(await runJson(small, ['audit', 'verify'], overTarget(small))).toMatchObject({ ok: true });
    expect(await runJson(small, words(small))).toMatchObject({ ok: true, copiedAt: expect.any(String) });
    expect(await runJson(small, log, overTarget(small))).toHaveLength(1);
  });

  test('SIGINT ends it after the step under way, and it goes on from there', async () => {
    await makeSchema();
    const held = await holdCopy(database, 'deliveries');
    const child = spawnCommand(small, words(small));
    const ended = endOf(child);
    await held.reached();
    child.kill('SIGINT');
    await held.release();
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining('the same command goes on from there')]);
    // Which step was under way when the signal came, the machine decides.
    expect(await database.query('SELECT at_table FROM store_copies')).toHaveLength(1);
    expect(await runJson(small, words(small))).toMatchObject({ ok: true, resumed: true });
  });
});

describe('until it is finished', () => {
  /** Ends it in the midst of the table. */
  async function interrupt(folder: string, table: string): Promise<void> {
    await makeSchema();
    const held = await holdCopy(database, table);
    const child = spawnCommand(folder, words(folder));
    const ended = endOf(child);
    await held.reached();
    child.kill('SIGKILL');
    await ended;
    await held.release();
  }

  test('nobody else can use the database', async () => {
    await interrupt(small, 'deliveries');
    const { code, stderr } = await runCommand(small, ['events', 'list'], overTarget(small));
    expect([code, stderr]).toEqual([1, expect.stringContaining('run "store copy" to its end')]);
    const store = openTarget(small);
    await expect(store.commit(makeBatch({ accepts: [makeAccept()] }))).rejects.toMatchObject({
      name: 'StoreUnavailable',
    });
    await runJson(small, words(small));
    await expect(store.commit(makeBatch({ accepts: [makeAccept()] }))).resolves.toMatchObject({ pending: 0 });
  });

  test('what is changed in each table is found, and the copy can be made anew', async () => {
    await interrupt(small, 'audit entries');
    await database.query("UPDATE documents SET written_at = written_at + 1 WHERE name = 'token:digest'");
    await database.query("UPDATE events SET body = 'x' || substring(body FROM 2) WHERE seq = 7");
    await database.query('UPDATE deliveries SET order_key = order_key + 1 WHERE id = 105');
    await database.query('UPDATE quarantine SET times = 9 WHERE seq = 2');
    await database.query("UPDATE audit_entries SET user_id = 'nobody' WHERE position = 5");
    const { code, stdout } = await runCommand(small, words(small, '--json'));
    expect(code).toBe(1);
    const verdict: Verdict = JSON.parse(stdout);
    expect(verdict).toMatchObject({ ok: false, auditLog: { ok: false } });
    expect(verdict.counts.filter(({ same }) => !same)).toEqual([]);
    expect(verdict.sha256.filter(({ same }) => !same)).toMatchObject([
      // Byte by byte, "token:digest" is behind all but one.
      { table: 'documents', firstDifference: 6 },
      { table: 'events', firstDifference: 7 },
      { table: 'deliveries', firstDifference: 105 },
      { table: 'quarantine', firstDifference: 2 },
      { table: 'audit entries', firstDifference: 5 },
    ]);
    // It stays unfinished.
    expect((await runCommand(small, ['events', 'list'], overTarget(small))).code).toBe(1);
    expect(await runJson(small, words(small, '--start-over'))).toMatchObject({ ok: true, resumed: false });
  });

  test('rows missing, rows too many, and counts that are wrong are found', async () => {
    await interrupt(small, 'audit entries');
    await database.query("UPDATE delivery_counts SET n = n + 1 WHERE shard = 3 AND state = 'dead'");
    const counted = await runCommand(small, words(small));
    expect([counted.code, counted.stdout.match(/DIFFERS/g)]).toEqual([1, ['DIFFERS']]);
    expect(counted.stdout).toMatch(/│ counted as dead .* DIFFERS/);
    await database.query(
      'UPDATE dedup_keys SET valid_until = valid_until + 1 WHERE event_id = (SELECT id FROM events WHERE seq = 8)',
    );
    await database.query('DELETE FROM deliveries WHERE id = 60');
    await database.query("INSERT INTO secrets_seen VALUES ('zzz', 1)");
    await database.query("DELETE FROM documents WHERE name = 'Token'");
    await database.query("INSERT INTO documents VALUES ('presence:late', '{}', 1, 1), ('later', '{}', 1, 1)");
    const { code, stdout, stderr } = await runCommand(small, words(small));
    expect([code, stderr]).toEqual([1, expect.stringContaining('--start-over copies anew')]);
    expect(stdout).toMatch(/│ secrets seen +│ +3 │ +4 │ DIFFERS/);
    expect(stdout).toMatch(/│ documents +│ +7 │ +8 │ DIFFERS/);
    expect(stdout.match(/DIFFERS/g)).toHaveLength(8);
    expect(stdout).toContain('The secrets seen differ from number 4 on.');
    expect(stdout).toContain('The events differ from number 8 on.');
    expect(stdout).toContain('The deliveries differ from number 60 on.');
  });

  test('a file to which a document alone was written is another one, save where that is left behind', async () => {
    const folder = makeFolder();
    try {
      await fillStore(folder, FEW);
      await interrupt(folder, 'deliveries');
      const write = async (name: string): Promise<void> => {
        const store = await openStore(folder);
        await store.writeDocument(name, 'anew', null);
        await store.close();
      };
      await write('token:digest');
      const wrong = expect.stringContaining('--start-over removes it and begins anew');
      expect(await runCommand(folder, words(folder))).toMatchObject({ code: 1, stdout: '', stderr: wrong });
      expect(await runJson(folder, words(folder, '--start-over'))).toMatchObject({ ok: true, resumed: false });
      await write('presence:one');
      expect(await runJson(folder, words(folder))).toMatchObject({ ok: true, copiedAt: expect.any(String) });
      await write('token:digest');
      expect((await runCommand(folder, words(folder))).stderr).toContain('that database is in use already');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('another file, or the same after something was written to it, does not go on with it', async () => {
    const folder = makeFolder();
    try {
      await fillStore(folder, FEW);
      await interrupt(folder, 'deliveries');
      const wrong = expect.stringContaining('--start-over removes it and begins anew');
      expect(await runCommand(small, words(small))).toMatchObject({ code: 1, stdout: '', stderr: wrong });
      await runJson(folder, ['events', 'list']);
      expect(await runCommand(folder, words(folder))).toMatchObject({ code: 1, stdout: '', stderr: wrong });
      expect(await runJson(folder, words(folder, '--start-over'))).toMatchObject({ ok: true, resumed: false });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test('a receiver that is started meanwhile takes events into its spill, and moves them once the copy is finished', async () => {
  await makeSchema();
  const held = await holdCopy(database, 'deliveries');
  const ended = runCommand(small, words(small));
  await held.reached();
  const folder = makeFolder();
  const receiver = await spawnReceiverIn(folder, { ...overTarget(small).env, INSTANTLY_WEBHOOK_TOKEN: TOKEN });
  try {
    const headers = { 'content-type': 'application/json', 'x-webhook-secret': TOKEN };
    const post = () =>
      fetch(`${receiver.url}/webhooks/instantly`, { method: 'POST', headers, body: '{"event_type":"email_sent"}' });
    const answer = await post();
    expect([answer.status, await answer.json()]).toMatchObject([200, { status: 'accepted' }]);
    expect(await (await fetch(`${receiver.url}/readyz`)).json()).toMatchObject({ status: 'degraded' });
    await held.release();
    expect((await ended).code).toBe(0);
    await receiver.log.waitForMessage('PostgreSQL has everything again: the spill is empty');
    const [event] = await openTarget(small).listEvents({ limit: 1 });
    expect(event?.type).toBe('email_sent');
    expect(await (await post()).json()).toMatchObject({ status: 'duplicate', id: event?.id });
  } finally {
    await receiver.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('refused', () => {
  test('while a receiver serves from the file', async () => {
    const folder = makeFolder();
    const receiver = await spawnReceiverIn(folder, {});
    try {
      const { code, stdout, stderr } = await runCommand(folder, words(folder));
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^error: a receiver is serving from .*receiver\.db; stop it first/);
      expect(await database.query(`SELECT to_regclass('events') AS t`)).toEqual([{ t: null }]);
    } finally {
      await receiver.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a database that is in use, --start-over or not', async () => {
    const target = openTarget(small);
    const { accepted } = await target.commit(makeBatch({ accepts: [makeAccept()] }));
    for (const more of [[], ['--start-over']]) {
      const { code, stdout, stderr } = await runCommand(small, words(small, ...more));
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toBe('error: that database is in use already; copy into one of its own, which is empty\n');
    }
    expect((await target.listEvents({ limit: 5 })).map(({ id }) => id)).toEqual([accepted[0]?.id]);
  });

  test('a database that holds nothing but a document', async () => {
    await openTarget(small).writeDocument('presence:one', '{}', 0);
    const { code, stderr } = await runCommand(small, words(small));
    expect([code, stderr]).toEqual([1, expect.stringContaining('that database is in use already')]);
    expect(await openTarget(small).readDocument('presence:one')).toMatchObject({ text: '{}' });
  });

  test('another key than that of the log', async () => {
    const { code, stdout, stderr } = await runCommand(small, words(small), { env: { AUDIT_KEY: 'another-audit-key' } });
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^AUDIT_KEY is not the key with which the audit log in .*receiver\.db is written/);
  });

  test('what is no store', async () => {
    const text = join(small, 'text.db');
    writeFileSync(text, 'This is no database, and long enough for SQLite to tell.\n'.repeat(100));
    const forms = [
      ['sqlite:nowhere.db', 'there is no store at '],
      ['sqlite:text.db', 'file is not a database'],
    ] as const;
    for (const [from, expected] of forms) {
      const { code, stdout, stderr } = await runCommand(small, words(small, '--from', from));
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining(expected)]);
    }
  });

  test('addresses of the wrong kind or none, without repeating what may be a password', async () => {
    const forms = [
      [],
      ['--to', 'sqlite:open-sesame.db'],
      ['--to', postgresUrl('user:open-sesame@host')],
      ['--to', 'open-sesame'],
      ['--from', postgresUrl('user:open-sesame@host/database'), '--to', 'postgres://host/database'],
    ];
    for (const form of forms) {
      const { code, stdout, stderr } = await runCommand(small, ['store', 'copy', ...form]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^error: .*--(to|from)/);
      expect(stderr).not.toContain('open-sesame');
    }
  });

  test('a server that is away, or knows another password, without naming the password', async () => {
    const away = await runCommand(small, [
      'store',
      'copy',
      '--to',
      postgresUrl('user:open-sesame@127.0.0.1:1/database'),
    ]);
    const wrong = new URL(database.url);
    wrong.password = 'open-sesame';
    const other = await runCommand(small, ['store', 'copy', '--to', wrong.href]);
    expect([away.code, other.code]).toEqual([1, 78]);
    expect(away.stderr).toContain('PostgreSQL cannot be reached');
    expect(other.stderr).toContain('check the user, the password');
    for (const { stdout, stderr } of [away, other]) expect(stdout + stderr).not.toContain('open-sesame');
  });
});

test('a log that does not hold in the file is copied as it is, and said so', async () => {
  const folder = makeFolder();
  try {
    await fillStore(folder, FEW);
    const file = new DatabaseSync(fileOf(folder));
    file.exec(`UPDATE audit_entries SET user_id = 'somebody' WHERE position = 5`);
    file.close();
    const { code, stdout, stderr } = await runCommand(folder, words(folder));
    expect(code).toBe(0);
    expect(stdout).toContain('The audit log there does not hold at entry 5 of chain ');
    expect(stderr).toContain('It did not hold in the file either');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a file of a release that had no documents is copied without any, and left as it is', async () => {
  const folder = makeFolder();
  try {
    await fillStore(folder, FEW);
    const file = new DatabaseSync(fileOf(folder));
    file.exec('DROP TABLE documents; DELETE FROM schema_migrations WHERE version > 2');
    file.close();
    const before = hashOf(fileOf(folder));
    const { code, stdout } = await runCommand(folder, words(folder));
    expect([code, stdout]).toEqual([0, expect.stringMatching(/│ documents +│ +0 │ +0 │ same/)]);
    expect(hashOf(fileOf(folder))).toBe(before);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('DATABASE_URL may name either end', async () => {
  const { code, stderr } = await runCommand(
    small,
    ['store', 'copy', '--from', 'sqlite:data/receiver.db'],
    overTarget(small),
  );
  expect([code, stderr]).toEqual([0, expect.stringContaining('From now on')]);
});

/** Read by statements of their own on both sides. */
async function expectSameRows(path: string): Promise<void> {
  const file = new DatabaseSync(path, { readOnly: true });
  const list = (sql: string): unknown[] =>
    file
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  const [events] = await database.query<{ hash: string }>(
    `SELECT encode(sha256(string_agg(id::text || ' ' || encode(sha256(body), 'hex'), ',' ORDER BY seq)::bytea), 'hex') AS hash FROM events`,
  );
  const bodies = file.prepare('SELECT id, body FROM events ORDER BY seq').all() as { id: string; body: Uint8Array }[];
  expect(bodies).toHaveLength(contents.length + 3);
  const lines = bodies.map(({ id, body }) => `${id} ${createHash('sha256').update(body).digest('hex')}`).join();
  expect(events?.hash).toBe(createHash('sha256').update(lines).digest('hex'));
  const columns = 'event_seq, handler, attempts, hold_until, created_at, order_key IS NULL AS free';
  const rows = await database.query(`SELECT ${columns}, replay::int, state FROM deliveries ORDER BY id`);
  expect(rows.map(toNumbers)).toEqual(
    list(
      `SELECT ${columns}, replay, CASE state WHEN 'running' THEN 'pending' ELSE state END AS state FROM deliveries ORDER BY id`,
    ).map(toNumbers),
  );
  const entries = await database.query(
    `SELECT c.writer, a.seq, a.metadata, encode(a.hash, 'hex') AS hash FROM audit_entries a JOIN audit_chains c USING (chain)
      WHERE position <= $1 ORDER BY position`,
    [Number(file.prepare('SELECT max(position) AS n FROM audit_entries').get()?.['n'])],
  );
  expect(entries.map(toNumbers)).toEqual(
    list(
      `SELECT c.writer, a.seq, a.metadata, lower(hex(a.hash)) AS hash FROM audit_entries a JOIN audit_chains c USING (chain) ORDER BY position`,
    ).map(toNumbers),
  );
  file.close();
}

/** Numbers of 64 bits come as text, booleans of SQLite as numbers. */
function toNumbers(row: unknown): unknown {
  const cells = Object.entries(row as Record<string, unknown>);
  return Object.fromEntries(
    cells.map(([name, value]) => [
      name,
      typeof value === 'boolean' || (typeof value === 'string' && /^\d+$/.test(value)) ? Number(value) : value,
    ]),
  );
}
