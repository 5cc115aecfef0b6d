import type { KeyObject } from 'node:crypto';
import { type SealedEntry, sealEntry } from '../../audit/chain.ts';
import { type ChainKind, isOfStranger } from '../../audit/chain-memory.ts';
import type { AuditDraft, ChainHead } from '../../audit/entry.ts';
import type { Left } from './audit-lane.ts';
import { insertEntries } from './insert-entries.ts';
import type { Statement, Value } from './transaction.ts';

export interface Place {
  readonly chain: number;
  readonly head: ChainHead;
}

interface OpenChainWays {
  readonly openStrangers: () => Promise<Strand>;
  /** Entries to be written before the end. */
  readonly lastWords: () => AuditDraft[];
  readonly left: (places: Left['places']) => Left;
}

/** Gathers the entries of one transaction, in a lane's chains. */
export class OpenChain {
  readonly #proven: Strand;
  readonly #ways: OpenChainWays;
  #strangers: Strand | undefined;

  constructor(proven: Strand, ways: OpenChainWays) {
    this.#proven = proven;
    this.#ways = ways;
  }

  /** To be called where strangers' entries are to come, before anything is locked: a chain that starts waits its turn. */
  async openStrangers(): Promise<void> {
    this.#strangers ??= await this.#ways.openStrangers();
  }

  append(draft: AuditDraft): void {
    const strand = isOfStranger(draft) ? this.#strangers : undefined;
    (strand ?? this.#proven).append(draft);
  }

  /** To be called where this transaction removes entries that are due, its own chain's newest perhaps among them. */
  entriesGo(): void {
    this.#proven.mayBeGone = true;
  }

  /** The number of the chain that is not of strangers. */
  get chain(): number {
    return this.#proven.chain;
  }

  /** What writes the entries and the new heads; fails where the heads in the table are not those this began with. */
  close(): {
    readonly statements: readonly { readonly statement: Statement; readonly values: Value[] }[];
    /** Of the chain that is not of strangers. */
    readonly head: ChainHead;
    readonly left: Left;
  } {
    for (const draft of this.#ways.lastWords()) this.#proven.append(draft);
    const strands = [this.#strangers, this.#proven].filter((strand) => strand !== undefined);
    const grown = strands.filter(({ hasGrown }) => hasGrown);
    const left = this.#ways.left(grown.map(({ kind, place }) => ({ kind, place })));
    return { statements: grown.map((strand) => strand.close()), head: this.#proven.place.head, left };
  }
}

/** One chain inside a transaction. */
export class Strand {
  readonly kind: ChainKind;
  readonly chain: number;
  /** Whether the newest entry before these may have been removed. */
  mayBeGone: boolean;
  readonly #writer: string;
  readonly #key: KeyObject;
  /** `undefined`: the chain begins in this transaction. */
  readonly #before: ChainHead | undefined;
  readonly #entries: SealedEntry[] = [];
  #head: ChainHead | undefined;

  constructor(
    kind: ChainKind,
    key: KeyObject,
    writer: string,
    { chain, head }: { readonly chain: number; readonly head: ChainHead | undefined },
    mayBeGone = false,
  ) {
    this.kind = kind;
    this.mayBeGone = mayBeGone;
    this.chain = chain;
    this.#writer = writer;
    this.#key = key;
    this.#before = head;
    this.#head = head;
  }

  get hasGrown(): boolean {
    return this.#entries.length > 0;
  }

  append(draft: AuditDraft): void {
    const entry = sealEntry(draft, this.#head, this.#writer, this.#key);
    this.#entries.push(entry);
    this.#head = { writer: this.#writer, seq: entry.seq, hash: entry.hash };
  }

  /** The place after this transaction. */
  get place(): Place {
    if (this.#head === undefined) throw new Error('an audit chain was closed before its first entry');
    return { chain: this.chain, head: this.#head };
  }

  close(): { readonly statement: Statement; readonly values: Value[] } {
    const { head } = this.place;
    const { mayBeGone } = this;
    return insertEntries(this.chain, this.#entries, { seq: this.#before?.seq ?? 0, head, mayBeGone });
  }
}
