import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { SettingsError } from '../../errors/problem.ts';
import { PRESENCE_PREFIX } from '../../inbox/document-names.ts';
import { RELEASE } from './migrate.ts';
import { holdServiceLock } from './service-lock.ts';
import { isSqliteError } from './sqlite-error.ts';

/** Milliseconds to wait for a command that is writing. */
const BUSY_TIMEOUT_MS = 5_000;

export type SourceRow = Readonly<Record<string, null | number | string | Uint8Array>>;

export interface PageLimits {
  readonly rows: number;
  /** The row that goes beyond it is the page's last. */
  readonly bytes: number;
}

/**
 * What tells one state of a file from another. Nearly everything that changes a store leaves an audit entry; a claim does
 * not, and shows in the deliveries. The remainder keeps the sum of times within 64 bits.
 */
const STATE = `SELECT (SELECT count(*) FROM events) AS events, (SELECT max(seq) FROM events) AS newest,
    (SELECT max(position) FROM audit_entries) AS position,
    (SELECT sum(times) FROM quarantine) AS quarantined,
    count(*) AS deliveries, max(id) AS last, sum(attempts) AS attempts, sum(updated_at % 1000000007) AS times,
    count(lease) AS leased
  FROM deliveries`;
const CHAINS = 'SELECT writer, seq, hex(hash) AS hash FROM audit_chains ORDER BY chain';
/** SQL: those that are copied. */
export const COPIED_DOCUMENT = `substr(name, 1, ${PRESENCE_PREFIX.length}) <> '${PRESENCE_PREFIX}'`;
const DOCUMENTS = `SELECT name, version, written_at, text FROM documents WHERE ${COPIED_DOCUMENT} ORDER BY name`;
/** For a file of a release that had none: beside it, since nothing in it is changed. */
const NO_DOCUMENTS = 'CREATE TEMP TABLE documents (name TEXT, text TEXT, version INTEGER, written_at INTEGER)';

/**
 * A store's file while it is copied: nobody serves from it, and nobody writes to it, commands included, because an entry
 * written after its table was read would be lost with the file. Nothing in it is changed.
 */
export class CopySource {
  readonly file: string;
  readonly #db: DatabaseSync;
  readonly #lock: { release(): void };
  readonly #statements = new Map<string, StatementSync>();

  private constructor(file: string, lock: { release(): void }) {
    this.file = file;
    this.#lock = lock;
    this.#db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  }

  /** @throws Error where there is none, or it is in use; SettingsError where it is of a newer release */
  static open(file: string): CopySource {
    if (!existsSync(file)) throw new Error(`there is no store at ${file}`);
    const source = new CopySource(file, lockOut(file));
    try {
      source.#begin();
      return source;
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** `sql` is a constant of the program, so that the number of statements kept is bounded. */
  all<Row = SourceRow>(sql: string): Row[] {
    return this.#prepare(sql).all() as Row[];
  }

  /** `sql` takes the key after which to begin and the number of rows, and gives them in order of key. */
  page(sql: string, after: number, limits: PageLimits): SourceRow[] {
    const rows: SourceRow[] = [];
    let bytes = 0;
    for (const row of this.#prepare(sql).iterate(after, limits.rows)) {
      rows.push(row as SourceRow);
      bytes += sizeOf(row as SourceRow);
      if (bytes >= limits.bytes) break;
    }
    return rows;
  }

  /** Hex; another one once anything has been written to the file. */
  fingerprint(): string {
    const hash = createHash('sha256').update(JSON.stringify(this.all(STATE)));
    for (const sql of [CHAINS, DOCUMENTS])
      for (const row of this.#prepare(sql).iterate()) hash.update(JSON.stringify(row));
    return hash.digest('hex');
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
    this.#lock.release();
  }

  #begin(): void {
    try {
      // Keeps writers out until it ends.
      this.#db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      if (!isSqliteError(error, 'BUSY')) throw new Error(`${this.file} cannot be read (${wordsOf(error)})`);
      throw new Error(`a command is writing to ${this.file}; try again when it is done`);
    }
    const known = this.all("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'");
    if (known.length === 0) throw new Error(`${this.file} holds no store`);
    const [schema] = this.all<{ least: number }>('SELECT max(least_release) AS least FROM schema_migrations');
    if ((schema?.least ?? 0) > RELEASE)
      throw new SettingsError([
        `${this.file} was written by a newer release of the receiver; copy it with that release`,
      ]);
    if (this.all("SELECT 1 FROM sqlite_schema WHERE name = 'documents'").length === 0) this.#db.exec(NO_DOCUMENTS);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function lockOut(file: string): { release(): void } {
  try {
    return holdServiceLock(file, 'DATABASE_URL', { waitMs: 0 });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new Error(
      `a receiver is serving from ${file}; stop it first, since what it takes in meanwhile would be left behind`,
    );
  }
}

function sizeOf(row: SourceRow): number {
  let bytes = 0;
  for (const value of Object.values(row)) {
    if (typeof value === 'string') bytes += value.length;
    else if (value instanceof Uint8Array) bytes += value.byteLength;
  }
  return bytes;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
