import { type AuditKey, GENESIS_HASH, hashOf } from './chain.ts';
import type { ChainKind } from './chain-memory.ts';
import { Claims } from './claims.ts';
import type { AuditEntry, ChainHead } from './entry.ts';
import { type FaultKind, FirstFault } from './fault.ts';
import { isSeq, readHeads } from './heads.ts';
import { CHAIN_START } from './link-chains.ts';
import { PRUNE, prunedBefore } from './prune-chains.ts';
import { TAMPERED } from './tampering.ts';

/** What is kept of a chain while its entries go by. */
export interface WalkedChain {
  /** The first entry, and how many entries had been read with it. */
  readonly first: { readonly entry: AuditEntry; readonly at: number };
  last: { readonly seq: number; readonly hash: string; readonly at: number };
}

/** A recorded cut and the prune entry that records it. */
export interface RecordedCut extends ChainHead {
  readonly by: string;
}

/**
 * Checks each entry beside the one before it as they go by, and gathers what can only be judged at the end. Only
 * entries whose hash holds are believed. Memory grows with the number of chains and claims, not of entries.
 */
export class ChainWalk {
  entries = 0;
  readonly chains = new Map<string, WalkedChain>();
  /** The newest of each chain. */
  readonly cuts = new Map<string, RecordedCut>();
  readonly claims = new Claims();
  readonly #prunedBefore: Record<ChainKind, number | undefined> = { proven: undefined, strangers: undefined };
  readonly faults = new FirstFault();
  readonly #key: AuditKey;
  #writer: string | undefined;

  constructor(key: AuditKey) {
    this.#key = key;
  }

  take(entry: AuditEntry): void {
    this.entries += 1;
    if (!isWellFormed(entry)) {
      this.#report(entry, 'malformed', 'A field is missing or of the wrong kind.');
      return;
    }
    const holds = holdsItsHash(entry, this.#key);
    if (!holds)
      this.#report(entry, 'edited', 'Its hash does not hold: it was changed, or not written by this service.');
    const chain = this.chains.get(entry.writer);
    if (chain === undefined) this.#begin(entry);
    else this.#continue(entry, chain);
    this.#writer = entry.writer;
    for (const { kind, head, by } of this.claims.take(entry.writer, entry.seq)) {
      if (head.hash !== entry.hash) this.#report(entry, kind, `It is not the entry named by ${by}.`);
    }
    if (holds && entry.action === CHAIN_START && entry.seq === 1) this.#believeLinks(entry);
    if (holds && entry.action === PRUNE) this.#believeCuts(entry);
    if (holds && entry.action === TAMPERED)
      this.#report(entry, 'tampered', `It says that the log was tampered with (${entry.metadata['reason']}).`);
  }

  #begin(entry: AuditEntry): void {
    const at = this.entries;
    this.chains.set(entry.writer, { first: { entry, at }, last: { seq: entry.seq, hash: entry.hash, at } });
    // A chain that begins later may have been pruned, which only the whole log tells.
    if (entry.seq > 1) return;
    if (entry.prevHash !== GENESIS_HASH) this.#report(entry, 'start', 'The first entry names an entry before it.');
    if (entry.action !== CHAIN_START) this.#report(entry, 'start', `The first entry is not ${CHAIN_START}.`);
  }

  #continue(entry: AuditEntry, chain: WalkedChain): void {
    const { seq, hash } = chain.last;
    if (this.#writer !== entry.writer) this.#report(entry, 'order', 'It stands apart from the rest of its chain.');
    else if (entry.seq <= seq) this.#report(entry, 'order', `It stands after entry ${seq} of its chain.`);
    else if (entry.seq > seq + 1) this.#report(entry, 'gap', `Before it, ${missing(seq + 1, entry.seq - 1)}.`);
    else if (entry.prevHash !== hash) this.#report(entry, 'discontinued', 'It does not continue the entry before it.');
    chain.last = { seq: entry.seq, hash: entry.hash, at: this.entries };
  }

  #believeLinks(entry: AuditEntry): void {
    const follows = readHeads(entry.metadata['follows']);
    if (follows === undefined) this.#report(entry, 'link', 'The heads that it follows cannot be read.');
    for (const head of follows ?? []) this.claims.add({ kind: 'link', head, by: nameOf(entry) });
  }

  #believeCuts(entry: AuditEntry): void {
    const cuts = readHeads(entry.metadata['cut']);
    if (cuts === undefined) this.#report(entry, 'cut', 'The cuts that it records cannot be read.');
    for (const cut of cuts ?? []) {
      const known = this.cuts.get(cut.writer);
      if (known?.seq === cut.seq && known.hash !== cut.hash) {
        this.#report(entry, 'cut', `It contradicts the cut of chain ${cut.writer} by ${known.by}.`);
      }
      if (known === undefined || cut.seq > known.seq) this.cuts.set(cut.writer, { ...cut, by: nameOf(entry) });
    }
    for (const kind of ['proven', 'strangers'] as const) {
      const before = prunedBefore(entry, kind);
      if (before !== undefined && before > (this.#prunedBefore[kind] ?? Number.NEGATIVE_INFINITY))
        this.#prunedBefore[kind] = before;
    }
  }

  /** Epoch milliseconds: everything older was due for removal at some time; `undefined`: nothing was ever pruned. */
  prunedBefore(kind: ChainKind): number | undefined {
    return this.#prunedBefore[kind];
  }

  #report(entry: AuditEntry, kind: FaultKind, detail: string): void {
    this.faults.add(this.entries, { kind, writer: entry.writer, seq: entry.seq, id: entry.id, detail });
  }
}

/** `entry 3 is missing` or `entries 3 to 5 are missing`. */
export function missing(from: number, to: number): string {
  return from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`;
}

function nameOf(entry: AuditEntry): string {
  return `entry ${entry.seq} of chain ${entry.writer}`;
}

function isWellFormed(entry: AuditEntry): boolean {
  const { id, timestamp, action, userId, resource, result, metadata, writer, seq, prevHash, hash } = entry;
  const texts: unknown[] = [id, timestamp, action, userId, resource, result, writer, prevHash, hash];
  return texts.every((text) => typeof text === 'string') && isSeq(seq) && typeof metadata === 'object' && !!metadata;
}

function holdsItsHash(entry: AuditEntry, key: AuditKey): boolean {
  try {
    return hashOf(entry, key) === entry.hash;
  } catch {
    // What JSON cannot write was never sealed.
    return false;
  }
}
