import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { v7 as uuidv7 } from 'uuid';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { type AuditVerdict, verifyAudit } from '../../src/audit/verify.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { AuditPosition, Store } from '../../src/inbox/store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import type { SentEvent } from './steady-load.ts';
import { storeFile } from './store-file.ts';

const PAGE = 1_000;

/** What is wrong with a store, by kind; all empty where nothing is. */
export interface StoreFaults {
  /** Answered 200 and not there, or not byte for byte. */
  readonly missing: string[];
  /** Answered 200 under two ids. */
  readonly renamed: string[];
  /** There more than once, or never sent. */
  readonly surplus: string[];
  /** Events without exactly one delivery for each handler. */
  readonly undelivered: string[];
  /** Requests answered 200 that the audit log does not know. */
  readonly unaudited: string[];
  /** Deliveries by state, where the counts kept beside them say something else. */
  readonly miscounted: string[];
  /** SQLite's own words. */
  readonly corrupt: string[];
}

export interface CheckedStore {
  readonly faults: StoreFaults;
  readonly ids: ReadonlySet<string>;
  readonly deliveries: Readonly<Record<string, number>>;
  readonly audit: AuditVerdict;
}

export const NO_FAULTS: StoreFaults = {
  missing: [],
  renamed: [],
  surplus: [],
  undelivered: [],
  unaudited: [],
  miscounted: [],
  corrupt: [],
};

/** Holds the store in a folder against what was sent and answered. Nobody may be writing to it. */
export async function checkStore(
  folder: string,
  sent: readonly SentEvent[],
  handlers: readonly string[] = [],
): Promise<CheckedStore> {
  const { audit, requestIds } = await readAudit(folder);
  const db = new DatabaseSync(join(folder, 'data', 'receiver.db'));
  try {
    const stored = readBodies(db);
    const { deliveries, miscounted } = readDeliveries(db);
    const good = sent.map(({ body, answers }) => ({ body, answers: answers.filter(({ status }) => status === 200) }));
    const faults = {
      missing: good.flatMap(({ body, answers }) =>
        answers.filter(({ id }) => stored.get(id) !== body).map(({ id }) => id),
      ),
      renamed: good.flatMap(({ answers }) => [...new Set(answers.map(({ id }) => id))].slice(1)),
      surplus: findSurplus(stored, sent),
      undelivered: findUndelivered(db, handlers),
      unaudited: good.flatMap(({ answers }) =>
        answers.map(({ requestId }) => requestId).filter((requestId) => !requestIds.has(requestId)),
      ),
      miscounted,
      corrupt: readColumn(db, 'PRAGMA integrity_check').filter((line) => line !== 'ok'),
    };
    return { faults, ids: new Set(stored.keys()), deliveries, audit };
  } finally {
    db.close();
  }
}

function readBodies(db: DatabaseSync): Map<string, string> {
  const rows = db.prepare('SELECT id, body FROM events').all() as { id: string; body: Uint8Array }[];
  return new Map(rows.map(({ id, body }) => [id, Buffer.from(body).toString('utf8')]));
}

function findSurplus(stored: ReadonlyMap<string, string>, sent: readonly SentEvent[]): string[] {
  const expected = new Set(sent.map(({ body }) => body));
  return [...stored].filter(([, body]) => !expected.delete(body)).map(([id]) => id);
}

function findUndelivered(db: DatabaseSync, handlers: readonly string[]): string[] {
  const rows = db
    .prepare(
      `SELECT e.id, (SELECT json_group_array(handler) FROM (SELECT handler FROM deliveries WHERE event_seq = e.seq ORDER BY handler)) AS handlers
        FROM events e`,
    )
    .all() as { id: string; handlers: string }[];
  const expected = JSON.stringify([...handlers].sort());
  return rows.filter((row) => row.handlers !== expected).map(({ id }) => id);
}

function readDeliveries(db: DatabaseSync): { deliveries: Record<string, number>; miscounted: string[] } {
  const deliveries = readCounts(db, 'SELECT state, count(*) AS n FROM deliveries GROUP BY state');
  const kept = readCounts(db, 'SELECT state, n FROM delivery_counts');
  const miscounted = Object.entries(kept)
    .filter(([state, n]) => n !== (deliveries[state] ?? 0))
    .map(([state, n]) => `${state}: ${n} for ${deliveries[state] ?? 0}`);
  return { deliveries, miscounted };
}

function readCounts(db: DatabaseSync, sql: string): Record<string, number> {
  const rows = db.prepare(sql).all() as { state: string; n: number }[];
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

function readColumn(db: DatabaseSync, sql: string): string[] {
  return db
    .prepare(sql)
    .all()
    .flatMap((row) => Object.values(row).map(String));
}

async function readAudit(folder: string): Promise<{ audit: AuditVerdict; requestIds: Set<string> }> {
  const settings = loadSettings({ env: {}, cwd: folder, create: false });
  const { key } = settings.audit;
  const file = storeFile(settings);
  const store = await SqliteStore.open({ file, writer: uuidv7(), auditKey: key.reveal(), serve: false });
  try {
    const requestIds = new Set<string>();
    for await (const { metadata } of readEntries(store)) requestIds.add(String(metadata['requestId']));
    const audit = await verifyAudit(() => readEntries(store), deriveAuditKey(key));
    return { audit, requestIds };
  } finally {
    await store.close();
  }
}

async function* readEntries(store: Store): AsyncGenerator<AuditEntry> {
  const snapshot = await store.openAuditSnapshot();
  try {
    let after: AuditPosition | undefined;
    for (;;) {
      const entries = await snapshot.read(after, PAGE);
      yield* entries;
      const last = entries.at(-1);
      if (last === undefined) return;
      after = { writer: last.writer, seq: last.seq };
    }
  } finally {
    await snapshot.close();
  }
}
