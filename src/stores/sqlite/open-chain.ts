import type { KeyObject } from 'node:crypto';
import { sealEntry } from '../../audit/chain.ts';
import { isOfStranger } from '../../audit/chain-memory.ts';
import type { AuditDraft, ChainHead } from '../../audit/entry.ts';
import type { Connection } from './connection.ts';

interface OpenChainWays {
  readonly openStrangers: () => Strand;
  /** Entries to be written before the end. */
  readonly lastWords: () => AuditDraft[];
  /** Called with the new heads inside the transaction. */
  readonly onClosed: (heads: readonly ChainHead[]) => void;
}

/** A lane's chains inside one transaction. That of strangers is opened with their first entry. */
export class OpenChain {
  readonly #proven: Strand;
  readonly #ways: OpenChainWays;
  #strangers: Strand | undefined;

  constructor(proven: Strand, ways: OpenChainWays) {
    this.#proven = proven;
    this.#ways = ways;
  }

  /** The number of the chain that is not of strangers. */
  get chain(): number {
    return this.#proven.chain;
  }

  append(draft: AuditDraft): void {
    if (!isOfStranger(draft)) {
      this.#proven.append(draft);
      return;
    }
    this.#strangers ??= this.#ways.openStrangers();
    this.#strangers.append(draft);
  }

  /** Writes the new heads; returns that of the chain that is not of strangers. */
  close(): ChainHead {
    for (const draft of this.#ways.lastWords()) this.#proven.append(draft);
    const head = this.#proven.close();
    this.#ways.onClosed(this.#strangers === undefined ? [head] : [head, this.#strangers.close()]);
    return head;
  }
}

export interface StrandPlace {
  readonly connection: Connection;
  readonly key: KeyObject;
  readonly writer: string;
  readonly chain: number;
  /** `undefined`: the chain begins in this transaction. */
  readonly head: ChainHead | undefined;
}

/** One chain inside a transaction. */
export class Strand {
  readonly #place: StrandPlace;
  #head: ChainHead | undefined;

  constructor(place: StrandPlace) {
    this.#place = place;
    this.#head = place.head;
  }

  get chain(): number {
    return this.#place.chain;
  }

  append(draft: AuditDraft): void {
    const { connection, key, writer, chain } = this.#place;
    const entry = sealEntry(draft, this.#head, writer, key);
    connection.run(
      `INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      chain,
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
    this.#head = { writer, seq: entry.seq, hash: entry.hash };
  }

  /** Writes the new head. */
  close(): ChainHead {
    if (this.#head === undefined) throw new Error('an audit chain was closed before its first entry');
    const { connection, chain, head } = this.#place;
    if (this.#head !== head) {
      connection.run(
        'UPDATE audit_chains SET seq = ?, hash = ? WHERE chain = ?',
        this.#head.seq,
        Buffer.from(this.#head.hash, 'hex'),
        chain,
      );
    }
    return this.#head;
  }
}
