import type { KeyObject } from 'node:crypto';
import { sealEntry } from '../../audit/chain.ts';
import type { AuditDraft, AuditEntry, ChainHead } from '../../audit/entry.ts';
import { chainStartDraft } from '../../audit/link-chains.ts';
import { newId } from '../../audit/new-id.ts';
import { collectCuts, cutAt, pruneDraft } from '../../audit/prune-chains.ts';
import type { Connection } from './connection.ts';

interface ChainRow {
  readonly chain: number;
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** This process's chain in this file. Its head is read anew in every transaction, so that after a commit of unknown
 * outcome it goes on from what is really there. */
export class AuditLane {
  readonly #key: KeyObject;
  #writer: string;
  #started: boolean;

  /** @param started an earlier thread may have begun the chain */
  constructor(writer: string, key: KeyObject, started = false) {
    this.#writer = writer;
    this.#key = key;
    this.#started = started;
  }

  /** See `cutAt` and `collectCuts` in the audit room. */
  cutAt = (last: AuditEntry): ChainHead | undefined => cutAt(last, this.#key);
  collectCuts = (entries: Iterable<AuditEntry>): ChainHead[] => collectCuts(entries, this.#key);

  /** To be called inside a transaction; starts the chain where it does not exist yet. */
  open(connection: Connection, now: number): OpenChain {
    const row = connection.get<ChainRow>('SELECT chain, seq, hash FROM audit_chains WHERE writer = ?', this.#writer);
    if (row !== undefined) {
      this.#started = true;
      return new OpenChain(connection, this.#writer, this.#key, row.chain, headOf(this.#writer, row));
    }
    // Pruned or moved away whole: a chain never begins twice under one name.
    if (this.#started) this.#writer = newId();
    return this.#start(connection, now);
  }

  /** To be called inside a transaction, by a lane that has written nothing: removes all other chains, and writes down their
   * heads as cut. Gives how many entries went. */
  replaceAll(connection: Connection, entry: AuditDraft): number {
    const at = Date.parse(entry.timestamp);
    const open = this.open(connection, at);
    const own = connection.get<ChainRow>(
      'SELECT chain, seq, hash FROM audit_chains WHERE writer = ?',
      this.#writer,
    )?.chain;
    const cut = connection
      .all<ChainRow & { writer: string }>(
        'SELECT chain, writer, seq, hash FROM audit_chains WHERE named_by = ?',
        own ?? 0,
      )
      .map((row) => headOf(row.writer, row));
    const { changes: removed } = connection.run('DELETE FROM audit_entries WHERE chain <> ?', own ?? 0);
    connection.run('DELETE FROM audit_chains WHERE chain <> ?', own ?? 0);
    open.append(pruneDraft({ cut, before: at, removed, at }));
    open.append({ ...entry, metadata: { ...entry.metadata, entries: removed } });
    open.close();
    return removed;
  }

  #start(connection: Connection, now: number): OpenChain {
    const follows = unnamedHeads(connection);
    const { lastId: chain } = connection.run(
      'INSERT INTO audit_chains (writer, seq, hash) VALUES (?, 0, ?)',
      this.#writer,
      new Uint8Array(0),
    );
    connection.run('UPDATE audit_chains SET named_seq = seq, named_by = ? WHERE seq > named_seq', chain);
    const opened = new OpenChain(connection, this.#writer, this.#key, chain, undefined);
    opened.append(chainStartDraft({ follows, at: now }));
    return opened;
  }
}

function unnamedHeads(connection: Connection): ChainHead[] {
  return connection
    .all<ChainRow & { writer: string }>(
      'SELECT chain, writer, seq, hash FROM audit_chains WHERE seq > named_seq ORDER BY chain',
    )
    .map((row) => headOf(row.writer, row));
}

function headOf(writer: string, row: ChainRow): ChainHead {
  return { writer, seq: row.seq, hash: Buffer.from(row.hash).toString('hex') };
}

export class OpenChain {
  readonly #connection: Connection;
  readonly #writer: string;
  readonly #key: KeyObject;
  readonly #chain: number;
  #head: ChainHead | undefined;

  constructor(connection: Connection, writer: string, key: KeyObject, chain: number, head: ChainHead | undefined) {
    this.#connection = connection;
    this.#writer = writer;
    this.#key = key;
    this.#chain = chain;
    this.#head = head;
  }

  append(draft: AuditDraft): void {
    const entry = sealEntry(draft, this.#head, this.#writer, this.#key);
    this.#connection.run(
      `INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      this.#chain,
      entry.seq,
      entry.id,
      entry.timestamp,
      entry.action,
      entry.userId,
      entry.resource,
      entry.result,
      entry.metadataText,
      Buffer.from(entry.prevHash, 'hex'),
      Buffer.from(entry.hash, 'hex'),
    );
    this.#head = { writer: this.#writer, seq: entry.seq, hash: entry.hash };
  }

  /** Writes the new head. */
  close(): ChainHead {
    if (this.#head === undefined) throw new Error('an audit chain was closed before its first entry');
    this.#connection.run(
      'UPDATE audit_chains SET seq = ?, hash = ? WHERE chain = ?',
      this.#head.seq,
      Buffer.from(this.#head.hash, 'hex'),
      this.#chain,
    );
    return this.#head;
  }
}
