import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { SettingsError, StoreUnavailable } from '../../errors/problem.ts';
import { type ConnectOptions, connect } from '../postgres/connect.ts';
import { migrate } from '../postgres/migrate.ts';
import { sqlState, toStartFault } from '../postgres/pg-error.ts';
import { type Runner, runOn, type Statement, transact, type Value } from '../postgres/transaction.ts';
import type { CopyMoment } from './copied-table.ts';
import { FIRST_KEY, TABLES } from './tables.ts';

/** Milliseconds for one statement: a step takes far less, a count of all rows may take that long. */
const STATEMENT_LIMIT_MS = 300_000;
/** Milliseconds to wait for the session of a copy that was killed to end, and between looks. */
const OTHER_COPY_LIMIT_MS = 10_000;
const LOOK_MS = 100;

const TRY_LOCK: Statement = {
  name: 'try-copy-lock',
  text: `SELECT pg_try_advisory_lock(hashtextextended('instantly receiver: copy of a store', 0)) AS mine`,
};
const READ: Statement = {
  name: 'read-copy',
  text: 'SELECT source, started_at, finished_at, at_table, at_key, at_rows FROM store_copies',
};
/** Waits for commits that are under way, each of which writes its chain. */
const LOCK_CHAINS: Statement = {
  name: 'lock-chains',
  text: 'LOCK TABLE audit_chains IN SHARE ROW EXCLUSIVE MODE',
};
const IN_USE: Statement = {
  name: 'is-in-use',
  text: `SELECT EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM deliveries) OR EXISTS (SELECT FROM dedup_keys)
    OR EXISTS (SELECT FROM event_aliases) OR EXISTS (SELECT FROM quarantine) OR EXISTS (SELECT FROM audit_chains)
    OR EXISTS (SELECT FROM audit_entries) OR EXISTS (SELECT FROM secrets_seen) OR EXISTS (SELECT FROM handlers)
    OR EXISTS (SELECT FROM documents) AS yes`,
};
const BEGIN: Statement = {
  name: 'begin-copy',
  text: 'INSERT INTO store_copies (source, started_at, at_table, at_key, at_rows) VALUES ($1, $2, $3, $4, 0)',
};
const ADVANCE: Statement = {
  name: 'advance-copy',
  text: 'UPDATE store_copies SET at_table = $1, at_key = $2, at_rows = $3 WHERE finished_at IS NULL',
};
const EMPTY: Statement = {
  name: 'empty-copy',
  text: `TRUNCATE events, dedup_keys, event_aliases, deliveries, handlers, quarantine, audit_chains, audit_names, audit_entries,
    secrets_seen, documents, store_copies`,
};
const ZERO_COUNTS: Statement = { name: 'zero-counts', text: 'UPDATE delivery_counts SET n = 0' };

/** How far a copy has come. */
export interface CopyRecord extends CopyMoment {
  /** The fingerprint of what is copied. */
  readonly source: string;
  readonly finishedAt: number | null;
  readonly table: string;
  /** The last row of that table that is in the copy. */
  readonly key: number;
  readonly rows: number;
}

interface RecordRow {
  readonly source: string;
  readonly started_at: number;
  readonly finished_at: number | null;
  readonly at_table: string;
  readonly at_key: number;
  readonly at_rows: number;
}

/** The database that a file is copied into, by one process at a time. */
export class CopyTarget {
  readonly #options: ConnectOptions;
  readonly #client: pg.Client;

  private constructor(options: ConnectOptions, client: pg.Client) {
    this.#options = options;
    this.#client = client;
  }

  /** With the schema in place. @throws SettingsError where waiting will not help; StoreUnavailable; Error */
  static async open(url: string): Promise<CopyTarget> {
    const options = { url, statementMs: STATEMENT_LIMIT_MS };
    let client: pg.Client | undefined;
    try {
      client = await connect(options);
      await migrate(client);
      await client.query('SET lock_timeout = 30000');
      await waitForOther(runOn(client));
      return new CopyTarget(options, client);
    } catch (error) {
      await client?.end();
      throw explain(error);
    }
  }

  /** A connection beside it. */
  connect = (): Promise<pg.Client> => connect(this.#options);

  async read<Result>(work: (runner: Runner) => Promise<Result>): Promise<Result> {
    try {
      return await work(runOn(this.#client));
    } catch (error) {
      throw explain(error);
    }
  }

  /** One transaction. */
  async transact<Result>(
    work: (runner: Runner, last: (statement: Statement, ...values: Value[]) => void) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await transact(this.#client, work);
    } catch (error) {
      throw explain(error);
    }
  }

  /** `undefined`: nothing was ever copied into it. */
  async readRecord(): Promise<CopyRecord | undefined> {
    const [row] = await this.read((runner) => runner.all<RecordRow>(READ));
    if (row === undefined) return undefined;
    const { source, started_at: startedAt, finished_at: finishedAt } = row;
    return { source, startedAt, finishedAt, table: row.at_table, key: row.at_key, rows: row.at_rows };
  }

  /** Gives `undefined` where something lies in the database. From now on nobody else may use it. */
  begin(source: string, startedAt: number): Promise<CopyRecord | undefined> {
    return this.transact(async (runner) => {
      await runner.all(LOCK_CHAINS);
      const [inUse] = await runner.all<{ yes: boolean }>(IN_USE);
      if (inUse?.yes !== false) return undefined;
      const table = TABLES[0]?.name ?? '';
      await runner.all(BEGIN, source, startedAt, table, FIRST_KEY);
      return { source, startedAt, finishedAt: null, table, key: FIRST_KEY, rows: 0 };
    });
  }

  /** Removes what an unfinished copy has brought, and its record. */
  empty(): Promise<void> {
    return this.transact(async (runner) => {
      await runner.all(EMPTY);
      await runner.all(ZERO_COUNTS);
    });
  }

  /** One step and how far it has come, together or not at all. */
  step(to: Pick<CopyRecord, 'table' | 'key' | 'rows'>, work: (runner: Runner) => Promise<void>): Promise<void> {
    return this.transact(async (runner, last) => {
      await work(runner);
      last(ADVANCE, to.table, to.key, to.rows);
    });
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

/** The session lock of a copy that was killed is free once its last transaction has ended, one way or the other. */
async function waitForOther(runner: Runner): Promise<void> {
  const until = performance.now() + OTHER_COPY_LIMIT_MS;
  for (;;) {
    const [row] = await runner.all<{ mine: boolean }>(TRY_LOCK);
    if (row?.mine === true) return;
    if (performance.now() > until) throw new Error('another "store copy" is writing to that database');
    await pause(LOOK_MS);
  }
}

function explain(error: unknown): unknown {
  if (error instanceof SettingsError || error instanceof StoreUnavailable) return error;
  if (error instanceof Error && sqlState(error) === undefined && !('code' in error)) return error;
  return toStartFault(error);
}
