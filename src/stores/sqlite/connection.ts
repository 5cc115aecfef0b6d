import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { FilePlace } from './file-place.ts';
import { isSqliteError } from './sqlite-error.ts';

/** Milliseconds to wait for another process's lock before a call fails; a command holds one for far less. */
const BUSY_TIMEOUT_MS = 2_000;
/** The same after a call has waited in vain: those queued behind it must not all wait that long, one after the other. */
const LOCKED_TIMEOUT_MS = 100;

export type Row = Record<string, null | number | bigint | string | Uint8Array>;

/** One open file, with its statements prepared once. Used by one thread alone. */
export class Connection {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #place: FilePlace;
  #isLocked = false;
  #mustCheckpoint = false;
  #afterCommit: (() => void)[] = [];

  constructor(file: string) {
    this.db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    try {
      // FULL: each commit is on the disk when it returns. WAL: readers and the one writer do not block each other.
      this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;');
      this.db.exec(
        'PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;',
      );
      this.#place = new FilePlace(file);
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /**
   * Has the next transaction copy into the main file what an earlier process left in the write-ahead log, before it
   * returns. Where a sync of the log had failed and that process was then killed, the log is whole in memory and may have
   * a hole on the disk that no later sync of it mends: everything after the hole would be lost with the power.
   */
  checkpointNext(): void {
    this.#mustCheckpoint = true;
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

  /** Everything `work` does is committed when this returns, and nothing of it when it throws, save what was found out
   * after the commit: `FileGone`, or that the log could not be copied (see `checkpointNext`). */
  transaction<T>(work: () => T): T {
    this.#begin();
    try {
      const result = work();
      this.db.exec('COMMIT');
      for (const then of this.#afterCommit) then();
      if (this.#mustCheckpoint) this.#checkpoint();
      // What is in a file that nobody finds again is not kept, however well it is synced.
      this.#place.check();
      return result;
    } catch (error) {
      // A full disk or a failed write may have rolled back already.
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Inside a transaction: called once it is committed, and not where it is not. */
  onCommit(then: () => void): void {
    this.#afterCommit.push(then);
  }

  /** A transaction that survives the end of the process, but perhaps not that of the machine before the next other one. */
  unsynced<T>(work: () => T): T {
    this.db.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.transaction(work);
    } finally {
      this.db.exec('PRAGMA synchronous = FULL');
    }
  }

  /**
   * What `work` sorts, as a new index of millions of events does, lies in unlinked files beside the database and not in memory,
   * which a small machine may not have; nor in the machine's folder for such files, which in a container may be small too.
   */
  sortingOnDisk(work: () => void): void {
    // Deprecated by SQLite, since it is one setting for the whole process; nothing else in it uses such files.
    const folder = this.#place.folder.replaceAll("'", "''");
    this.db.exec(`PRAGMA temp_store = FILE; PRAGMA temp_store_directory = '${folder}'`);
    try {
      work();
    } finally {
      this.db.exec("PRAGMA temp_store = MEMORY; PRAGMA temp_store_directory = ''");
    }
  }

  /** @throws FileGone where the file or its log was deleted, moved away or replaced. */
  checkPlace(): void {
    this.#place.check();
  }

  #begin(): void {
    this.#afterCommit = [];
    try {
      this.db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      if (isSqliteError(error, 'BUSY')) this.#setLocked(true);
      throw error;
    }
    this.#setLocked(false);
  }

  #checkpoint(): void {
    this.db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    this.#mustCheckpoint = false;
  }

  #setLocked(isLocked: boolean): void {
    if (isLocked === this.#isLocked) return;
    this.db.exec(`PRAGMA busy_timeout = ${isLocked ? LOCKED_TIMEOUT_MS : BUSY_TIMEOUT_MS}`);
    this.#isLocked = isLocked;
  }

  close(): void {
    this.#statements.clear();
    this.db.close();
  }
}
