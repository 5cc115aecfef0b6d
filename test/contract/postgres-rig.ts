import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { Secret } from '../../src/config/secret.ts';
import { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { AUDIT_KEY } from './store-contract.ts';

type OpenOptions = Partial<Parameters<typeof PostgresStore.open>[0]>;

export interface PostgresRig {
  readonly database: TestDatabase;
  /** A store on it, as another process would have one. */
  open(options?: OpenOptions): Promise<PostgresStore>;
  /** The whole audit log, which has to hold. */
  soundAudit(): Promise<AuditEntry[]>;
  countEvents(): Promise<number>;
}

/** A database for each test of the file; what is opened on it is closed. */
export function usePostgres(): PostgresRig {
  let database: TestDatabase;
  const opened: PostgresStore[] = [];
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await database.drop();
  });
  const open = async (options: OpenOptions = {}): Promise<PostgresStore> => {
    const common = { url: database.url, location: 'a database of the tests', auditKey: AUDIT_KEY, serve: false };
    const store = PostgresStore.open({ ...common, ...options });
    opened.push(store);
    await store.connected();
    return store;
  };
  return {
    get database() {
      return database;
    },
    open,
    async soundAudit() {
      const snapshot = await (await open()).openAuditSnapshot();
      const entries = await snapshot.read(undefined, 100_000);
      await snapshot.close();
      expect(await verifyAudit(() => entries, deriveAuditKey(new Secret(AUDIT_KEY)))).toMatchObject({ ok: true });
      return entries;
    },
    async countEvents() {
      const [row] = await database.query<{ n: number }>('SELECT count(*)::int AS n FROM events');
      return row?.n ?? Number.NaN;
    },
  };
}

/** Resolves when that many sessions of the database wait for a lock. */
export async function untilWaiting(database: TestDatabase, sessions: number): Promise<void> {
  const patience = AbortSignal.timeout(50_000);
  for (let waiting = 0; waiting < sessions; ) {
    await pause(50, undefined, { signal: patience });
    await database.query('SELECT pg_stat_clear_snapshot()');
    const [row] = await database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    waiting = row?.n ?? 0;
  }
}
