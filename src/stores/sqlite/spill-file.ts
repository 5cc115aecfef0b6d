import type { ChainHead } from '../../audit/entry.ts';
import type { Batch, CommitResult } from '../../inbox/store.ts';
import type { Parcel, ParcelLimits, ParcelRows, SpillSize } from '../spill/parcel.ts';
import type { AuditLane } from './audit-lane.ts';
import { commitBatch } from './commit-batch.ts';
import type { Connection } from './connection.ts';
import { forgetRows, layAside } from './forget-parcel.ts';
import { readParcel } from './read-parcel.ts';
import { isSqliteError } from './sqlite-error.ts';

/** SQLite's own largest: https://www.sqlite.org/limits.html */
const MOST_PAGES = 4_294_967_294;
/** Bytes that must be left for the spill to count as able to take more. */
const ROOM_BYTES = 256 * 1024;
/** Bytes of an empty spill's file above which they are given back to the disk. */
const SHRINK_BYTES = 16 * 1024 * 1024;

const ANYTHING_LEFT = `SELECT EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM quarantine)
  OR EXISTS (SELECT 1 FROM audit_entries) AS n`;

/** What a file is asked for that keeps events only until they can be moved on. */
export class SpillFile {
  readonly #connection: Connection;
  readonly #lane: AuditLane;
  readonly #maxPages: number;
  /** `undefined`: to be counted. */
  #events: number | undefined;

  /** @param maxBytes of the file, its write-ahead log not counted */
  constructor(connection: Connection, lane: AuditLane, maxBytes: number) {
    this.#connection = connection;
    this.#lane = lane;
    this.#maxPages = Math.min(MOST_PAGES, Math.floor(maxBytes / this.#pragma('page_size')));
    this.#bound(this.#maxPages);
  }

  commit(batch: Batch): { readonly result: CommitResult; readonly size: SpillSize } {
    try {
      const result = this.#counted(() => commitBatch(this.#connection, this.#lane, batch), countAccepted);
      return { result, size: this.size() };
    } catch (error) {
      throw isSqliteError(error, 'FULL') ? new Error('the spill or its disk is full', { cause: error }) : error;
    }
  }

  readParcel(limits: ParcelLimits): Parcel {
    return this.#unbound(() => this.#connection.transaction(() => readParcel(this.#connection, limits)));
  }

  /** @param refused rows among them that stay in the file, where nothing tries to move them again */
  forget(rows: ParcelRows, refused?: ParcelRows): SpillSize {
    this.#unbound(() =>
      this.#counted(
        () =>
          this.#connection.transaction(() => {
            if (refused !== undefined) layAside(this.#connection, refused);
            return forgetRows(this.#connection, rows);
          }),
        (events) => -events,
      ),
    );
    const size = this.size();
    if (size.isEmpty) this.#shrink();
    return size;
  }

  size(): SpillSize {
    this.#events ??= this.#number('SELECT count(*) AS n FROM events');
    const pages = this.#pragma('page_count') - this.#pragma('freelist_count');
    return {
      events: this.#events,
      bytes: pages * this.#pragma('page_size'),
      isEmpty: this.#number(ANYTHING_LEFT) === 0,
    };
  }

  /** @throws where it could not take an event now */
  check(): void {
    // Writes a page and commits it.
    this.#connection.transaction(() => this.#connection.run('UPDATE delivery_counts SET n = n'));
    const free = this.#maxPages - this.#pragma('page_count') + this.#pragma('freelist_count');
    if (free * this.#pragma('page_size') < ROOM_BYTES) throw new Error('the spill is full');
  }

  /** Of chains of which something is left here. */
  heads(): ChainHead[] {
    return this.#connection
      .all<{ writer: string; seq: number; hash: Uint8Array }>(
        `SELECT writer, seq, hash FROM audit_chains WHERE seq > named_seq
          AND EXISTS (SELECT 1 FROM audit_entries a WHERE a.chain = audit_chains.chain)`,
      )
      .map(({ writer, seq, hash }) => ({ writer, seq, hash: Buffer.from(hash).toString('hex') }));
  }

  /** Whether it was served from as a store of its own: to move its events would run handlers on all of them again. */
  isStore(): boolean {
    return (
      this.#number(`SELECT EXISTS (SELECT 1 FROM secrets_seen) OR EXISTS (SELECT 1 FROM handlers)
        OR EXISTS (SELECT 1 FROM deliveries WHERE state <> 'pending' OR attempts > 0) AS n`) === 1
    );
  }

  /** Chains of which nothing is left here go on nowhere: what writes next begins a new one, which names none of them. By
   * now the store that has them may have removed them in its turn, and their names would lead nowhere. */
  endChains(): void {
    this.#unbound(() =>
      this.#connection.transaction(() => {
        this.#lane.leave(this.#connection);
        this.#connection.run(
          'DELETE FROM audit_chains WHERE NOT EXISTS (SELECT 1 FROM audit_entries a WHERE a.chain = audit_chains.chain)',
        );
      }),
    );
  }

  /** Where nobody knows what became of the work, the events are counted anew. */
  #counted<Result>(work: () => Result, change: (result: Result) => number): Result {
    const before = this.#events;
    this.#events = undefined;
    const result = work();
    if (before !== undefined) this.#events = before + change(result);
    return result;
  }

  /** What makes room may need a page before it gives one back. */
  #unbound<Result>(work: () => Result): Result {
    this.#bound(MOST_PAGES);
    try {
      return work();
    } finally {
      this.#bound(this.#maxPages);
    }
  }

  #bound(pages: number): void {
    this.#connection.db.exec(`PRAGMA max_page_count = ${pages}`);
  }

  /** An outage may have made it large, and the disk is not ours alone. */
  #shrink(): void {
    if (this.#pragma('page_count') * this.#pragma('page_size') < SHRINK_BYTES) return;
    try {
      this.#connection.db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // A reader holds it, or the disk is full: it stays large and its pages are used again.
    }
  }

  #pragma(name: 'page_count' | 'freelist_count' | 'page_size'): number {
    return Number(this.#connection.get(`PRAGMA ${name}`)?.[name]);
  }

  #number(sql: string): number {
    return this.#connection.get<{ n: number }>(sql)?.n ?? 0;
  }
}

function countAccepted({ accepted }: CommitResult): number {
  return accepted.filter(({ status }) => status === 'accepted').length;
}
