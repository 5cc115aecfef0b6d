import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { isOfStranger } from '../audit/chain-memory.ts';
import type { AuditEntry } from '../audit/entry.ts';
import type { StoredBody } from '../inbox/store.ts';

/** Milliseconds by which a body may have come after the time of its entry, which is when its request began. */
const SLACK_MS = 3_600_000;
/** An entry that says nothing of the bytes. */
const UNKNOWN = '';
const SHA256_HEX = /^[0-9a-f]{64}$/;

/**
 * What the entries say of bodies, by event: in a private file of SQLite that has no name and vanishes with it, so that
 * memory does not grow with the log.
 */
export class BodyProofs {
  readonly #db = new DatabaseSync('');
  readonly #accept;
  readonly #keep;
  readonly #accepted;
  readonly #kept;

  constructor() {
    this.#db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;
      CREATE TABLE accepted (id TEXT NOT NULL, sha TEXT NOT NULL, PRIMARY KEY (id, sha)) WITHOUT ROWID;
      CREATE TABLE kept (sha TEXT PRIMARY KEY) WITHOUT ROWID`);
    this.#db.exec('BEGIN');
    this.#accept = this.#db.prepare('INSERT OR IGNORE INTO accepted (id, sha) VALUES (?, ?)');
    this.#keep = this.#db.prepare('INSERT OR IGNORE INTO kept (sha) VALUES (?)');
    this.#accepted = this.#db.prepare('SELECT sha FROM accepted WHERE id = ?');
    this.#kept = this.#db.prepare('SELECT 1 FROM kept WHERE sha = ?');
  }

  note(entry: AuditEntry): void {
    // A body that was packed on the way is stored unpacked.
    const { bodySha256, storedSha256 = bodySha256, eventId, reason } = entry.metadata;
    if (isOfStranger(entry)) return;
    const sha = typeof storedSha256 === 'string' && SHA256_HEX.test(storedSha256) ? storedSha256 : UNKNOWN;
    if (reason === 'accepted' && typeof eventId === 'string') this.#accept.run(eventId, sha);
    else if (sha !== UNKNOWN) {
      this.#keep.run(sha);
      // One that could not be unpacked after all is in quarantine as it came.
      if (typeof bodySha256 === 'string' && bodySha256 !== sha) this.#keep.run(bodySha256);
    }
  }

  /**
   * @param prunedBefore epoch milliseconds; `undefined`: no entry was ever pruned
   * @returns what is wrong with the body; `undefined`: nothing
   */
  findFault({ kind, id, receivedAt, body }: StoredBody, prunedBefore: number | undefined): string | undefined {
    const sha = hash('sha256', body, 'hex');
    const named = this.#accepted.all(id).map((row) => row['sha']);
    if (named.includes(sha) || named.includes(UNKNOWN)) return undefined;
    if (kind === 'quarantine' && this.#kept.get(sha) !== undefined) return undefined;
    if (named.length > 0) return 'its SHA-256 is not the one that its entry says';
    const wasPruned = prunedBefore !== undefined && receivedAt < prunedBefore + SLACK_MS;
    return wasPruned ? undefined : kind === 'event' ? 'no entry accepted it' : 'no entry has its SHA-256';
  }

  close(): void {
    this.#db.close();
  }
}
