import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/** Milliseconds to wait for another process's lock before a call fails; a command holds one for far less. */
const BUSY_TIMEOUT_MS = 2_000;

export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/** One open file, with its statements prepared once. Used by one thread alone. */
export class Connection {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    this.db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    try {
      // FULL: each commit is on the disk when it returns. WAL: readers and the one writer do not block each other.
      this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;');
      this.db.exec(
        'PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;',
      );
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /** `sql` is a constant of the program, so that the number of statements kept is bounded. */
  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  run(sql: string, ...values: SQLInputValue[]): { changes: number; lastId: number } {
    const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
    return { changes: Number(changes), lastId: Number(lastInsertRowid) };
  }

  get<T = Row>(sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  all<T = Row>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  /** Everything `work` does is committed when this returns, or nothing of it when it throws. */
  transaction<T>(work: () => T): T {
    this.db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.db.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk or a failed write may have rolled back already.
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    this.db.close();
  }
}
