import type { AuditKey } from './chain.ts';
import { kindOf } from './chain-memory.ts';
import { type Claim, Claims } from './claims.ts';
import type { AuditEntry, ChainHead } from './entry.ts';
import type { AuditFault } from './fault.ts';
import { plainHeads } from './heads.ts';
import type { AnchorHead } from './parse-anchor.ts';
import { ChainWalk, missing, type WalkedChain } from './walk-chains.ts';

/**
 * The whole log from its start, chain by chain, each in order of seq; the order of the chains is open. It is called
 * once, and a second time where a chain was read before the one that names an entry in its midst. Both calls, and all
 * pages of one, must show the same state (one read transaction, a backup): what is written or pruned in
 * between looks like tampering.
 */
export type ReadAudit = () => AsyncIterable<AuditEntry> | Iterable<AuditEntry>;

export interface VerifyOptions {
  /** Heads kept elsewhere, from `parseAnchor`. */
  readonly anchor?: readonly AnchorHead[];
  /** Name of the anchor in a fault's detail. */
  readonly anchorName?: string;
  /** What the store keeps beside the entries. */
  readonly described?: {
    /** The newest entry of every chain. */
    readonly heads: readonly ChainHead[];
    /** Whether it holds events. */
    readonly isUsed: boolean;
  };
  readonly signal?: AbortSignal;
}

export type AuditVerdict =
  | {
      readonly ok: true;
      readonly entries: number;
      readonly chains: number;
      /** The newest entry of each chain: an anchor for the next time. */
      readonly heads: readonly ChainHead[];
      /** Epoch milliseconds: older entries may have been pruned; `undefined`: none was. */
      readonly prunedBefore: number | undefined;
    }
  | {
      readonly ok: false;
      readonly entries: number;
      readonly chains: number;
      /** The first entry, in the order read, that does not hold. */
      readonly fault: AuditFault;
      /** Chains with at least one fault. */
      readonly faultyChains: number;
    };

/**
 * Proves that the stored entries are those that this service wrote: none edited, removed, inserted or reordered by
 * anyone without the key.
 *
 * What it cannot see: the removal of a chain's newest entries, or of the newest chains, as long as nothing kept names
 * them, because then what is left is what the log once was. Heads kept elsewhere (`anchor`) show that too, up to the
 * newest of them. Nor the return of a chain so old that the record of its removal has itself been pruned.
 *
 * A head in the anchor that is gone is taken for pruned where a cut at or beyond it is recorded, or where its
 * whole chain is gone and the head was seen before a time up to which pruning is recorded.
 *
 * With `described` the rows of the chains must agree, and a store with events must have a log.
 *
 * Rejects with what `read` throws or with the signal's reason.
 */
export async function verifyAudit(read: ReadAudit, key: AuditKey, options: VerifyOptions = {}): Promise<AuditVerdict> {
  const walk = new ChainWalk(key);
  const { anchor = [], anchorName: by = 'the anchor' } = options;
  for (const head of anchor) walk.claims.add({ kind: 'anchor', head, by, time: head.time });
  for await (const entry of read()) {
    options.signal?.throwIfAborted();
    walk.take(entry);
  }
  for (const chain of walk.chains.values()) checkStart(walk, chain);
  const passed = new Claims();
  for (const group of walk.claims.groups()) checkGroup(walk, group, passed);
  if (passed.size > 0) await checkPassed(walk, passed, read, options.signal);
  if (options.described !== undefined) checkDescribed(walk, options.described);
  const counts = { entries: walk.entries, chains: walk.chains.size };
  const { fault, writers } = walk.faults;
  if (fault !== undefined) return { ok: false, ...counts, fault, faultyChains: writers.size };
  const heads = Array.from(walk.chains, ([writer, { last }]) => ({ writer, seq: last.seq, hash: last.hash }));
  return { ok: true, ...counts, heads: plainHeads(heads), prunedBefore: walk.prunedBefore('proven') };
}

/** A chain begins at 1 where nothing of it was ever cut, and else right after its newest cut. */
function checkStart(walk: ChainWalk, { first }: WalkedChain): void {
  const { writer, seq, id, prevHash } = first.entry;
  const cut = walk.cuts.get(writer);
  const start = (cut?.seq ?? 0) + 1;
  const report = (kind: 'start' | 'cut', detail: string) =>
    walk.faults.add(first.at, { kind, writer, seq, id, detail });
  if (seq > start) report('start', `Before it, ${missing(start, seq - 1)}, and no pruning of them is recorded.`);
  else if (cut !== undefined && seq < start) report('cut', `By ${cut.by} it was removed, and yet it is here.`);
  else if (cut !== undefined && prevHash !== cut.hash) report('cut', `By ${cut.by} another entry came before it.`);
}

/** What the store says beside its entries proves nothing, but must not say anything else. */
function checkDescribed(walk: ChainWalk, { heads, isUsed }: NonNullable<VerifyOptions['described']>): void {
  for (const { writer, seq, hash } of heads) {
    const last = walk.chains.get(writer)?.last;
    const end = last ?? walk.cuts.get(writer);
    if (end?.seq === seq && end.hash === hash) continue;
    const detail =
      last === undefined
        ? 'The store names it as the newest of its chain, and the chain is missing.'
        : `The store names it as the newest of its chain, and the chain ends ${last.seq === seq ? 'with another' : `at ${last.seq}`}.`;
    walk.faults.add(last?.at ?? Number.POSITIVE_INFINITY, { kind: 'head', writer, seq, id: null, detail });
  }
  if (walk.entries === 0 && isUsed) {
    const detail = 'The store holds events, and its log is empty.';
    walk.faults.add(0, { kind: 'empty', writer: '', seq: 0, id: null, detail });
  }
}

/** Claims on one entry that did not come by after they were made. */
function checkGroup(walk: ChainWalk, group: readonly Claim[], passed: Claims): void {
  for (const claim of group) {
    const { kind, head, by } = claim;
    const contradiction = group.find((other) => other.head.hash !== head.hash);
    const detail =
      contradiction === undefined
        ? checkClaim(walk, claim, passed)
        : `Different ones are named by ${by} and ${contradiction.by}.`;
    if (detail !== undefined) {
      const at = walk.chains.get(head.writer)?.last.at ?? Number.POSITIVE_INFINITY;
      walk.faults.add(at, { kind, writer: head.writer, seq: head.seq, id: null, detail });
    }
  }
}

/** The entry was pruned, or it is missing, or it went by before the claim was made: then it is put to `passed`. */
function checkClaim(walk: ChainWalk, claim: Claim, passed: Claims): string | undefined {
  const { head, by, time } = claim;
  const cut = walk.cuts.get(head.writer);
  if (cut !== undefined && head.seq <= cut.seq) {
    return head.seq < cut.seq || head.hash === cut.hash
      ? undefined
      : `Different ones are named by ${by} and ${cut.by}.`;
  }
  const chain = walk.chains.get(head.writer);
  if (chain === undefined) {
    const before = walk.prunedBefore(kindOf(head.writer));
    const wasDue = time !== undefined && before !== undefined && time < before;
    return wasDue ? undefined : `It is named by ${by}, and its chain is missing.`;
  }
  if (head.seq > chain.last.seq) return `It is named by ${by}, and its chain ends at ${chain.last.seq}.`;
  if (head.seq < chain.last.seq || head.hash !== chain.last.hash) passed.add(claim);
  return undefined;
}

async function checkPassed(
  walk: ChainWalk,
  passed: Claims,
  read: ReadAudit,
  signal: AbortSignal | undefined,
): Promise<void> {
  let at = 0;
  for await (const { writer, seq, id, hash } of read()) {
    signal?.throwIfAborted();
    at += 1;
    for (const { kind, head, by } of passed.take(writer, seq)) {
      if (head.hash !== hash)
        walk.faults.add(at, { kind, writer, seq, id, detail: `It is not the entry named by ${by}.` });
    }
    if (passed.size === 0) return;
  }
  for (const group of passed.groups()) {
    for (const { kind, head, by } of group) {
      const detail = `It is named by ${by}, and missing.`;
      walk.faults.add(at, { kind, writer: head.writer, seq: head.seq, id: null, detail });
    }
  }
}
