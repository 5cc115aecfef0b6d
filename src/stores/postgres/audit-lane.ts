import type { KeyObject } from 'node:crypto';
import { type SealedEntry, sealEntry } from '../../audit/chain.ts';
import type { AuditDraft, AuditEntry, ChainHead } from '../../audit/entry.ts';
import { chainStartDraft } from '../../audit/link-chains.ts';
import { newId } from '../../audit/new-id.ts';
import { collectCuts, cutAt } from '../../audit/prune-chains.ts';
import { SQL } from './audit-statements.ts';
import { insertEntries } from './insert-entries.ts';
import type { Runner, Statement, Value } from './transaction.ts';

interface ChainRow {
  readonly chain: number;
  readonly seq: number;
  readonly hash: Buffer;
}

interface Place {
  readonly chain: number;
  readonly head: ChainHead;
}

/**
 * The chain of one connection. The head is kept between transactions, and a transaction commits only where it is still the
 * one in the table; after a transaction that failed or whose outcome is unknown it is read anew.
 */
export class AuditLane {
  readonly #key: KeyObject;
  #writer: string;
  #started = false;
  #place: Place | undefined;

  constructor(writer: string, key: KeyObject) {
    this.#writer = writer;
    this.#key = key;
  }

  /** See `cutAt` and `collectCuts` in the audit room. */
  cutAt = (last: AuditEntry): ChainHead | undefined => cutAt(last, this.#key);
  collectCuts = (entries: Iterable<AuditEntry>): ChainHead[] => collectCuts(entries, this.#key);

  /** To be called inside a transaction; starts the chain where it does not exist yet. */
  async open(runner: Runner, now: number): Promise<OpenChain> {
    const known = this.#place ?? (await this.#read(runner));
    if (known !== undefined) return new OpenChain(this.#writer, this.#key, known);
    // Pruned away whole after a long silence: a chain never begins twice under one name.
    if (this.#started) this.#writer = newId();
    return this.#start(runner, now);
  }

  /** To be called once the transaction is committed. */
  committed(place: Place): void {
    this.#started = true;
    this.#place = place;
  }

  /** To be called when it is not, or when nobody knows. */
  forget(): void {
    this.#place = undefined;
  }

  /** After an unknown outcome, in a new transaction: whether the one that was to leave this head was committed. Waits for it
   * to end where it is still under way. */
  async hasCommitted(runner: Runner, { head }: Place): Promise<boolean> {
    const found = await this.#read(runner);
    return found?.head.seq === head.seq && found.head.hash === head.hash;
  }

  /** Locks the chain, so that a transaction of a lost connection has ended one way or the other. */
  async #read(runner: Runner): Promise<Place | undefined> {
    const [row] = await runner.all<ChainRow>(SQL.lockChain, this.#writer);
    if (row === undefined) return undefined;
    this.#started = true;
    return { chain: row.chain, head: { writer: this.#writer, seq: row.seq, hash: row.hash.toString('hex') } };
  }

  async #start(runner: Runner, now: number): Promise<OpenChain> {
    // Two that start at once would name the same heads, and neither the other.
    await runner.all(SQL.lockStarts);
    const rows = await runner.all<ChainRow & { writer: string }>(SQL.unnamedHeads);
    const follows = rows.map(({ writer, seq, hash }) => ({ writer, seq, hash: hash.toString('hex') }));
    const [made] = await runner.all<{ chain: number }>(SQL.makeChain, this.#writer);
    if (made === undefined) throw new Error('a new audit chain got no number');
    const chains = rows.map(({ chain }) => chain);
    await runner.all(
      SQL.nameHeads,
      chains,
      rows.map(({ seq }) => seq),
      made.chain,
    );
    const opened = new OpenChain(this.#writer, this.#key, { chain: made.chain, head: undefined });
    opened.append(chainStartDraft({ follows, at: now }));
    return opened;
  }
}

/** Gathers the entries of one transaction. */
export class OpenChain {
  readonly #writer: string;
  readonly #key: KeyObject;
  readonly #chain: number;
  /** `undefined`: the chain begins in this transaction. */
  readonly #before: ChainHead | undefined;
  readonly #entries: SealedEntry[] = [];
  #head: ChainHead | undefined;

  constructor(
    writer: string,
    key: KeyObject,
    { chain, head }: { readonly chain: number; readonly head: ChainHead | undefined },
  ) {
    this.#writer = writer;
    this.#key = key;
    this.#chain = chain;
    this.#before = head;
    this.#head = head;
  }

  append(draft: AuditDraft): void {
    const entry = sealEntry(draft, this.#head, this.#writer, this.#key);
    this.#entries.push(entry);
    this.#head = { writer: this.#writer, seq: entry.seq, hash: entry.hash };
  }

  /** The place after this transaction. */
  get place(): Place {
    if (this.#head === undefined) throw new Error('an audit chain was closed before its first entry');
    return { chain: this.#chain, head: this.#head };
  }

  /** What writes the entries and the new head; fails where the head in the table is not the one this began with. */
  close(): { readonly statement: Statement; readonly values: Value[] } {
    const { head } = this.place;
    return insertEntries(this.#chain, this.#entries, { seq: this.#before?.seq ?? 0, head });
  }
}
