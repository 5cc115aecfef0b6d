import type { ChainHead } from '../audit/entry.ts';
import type { Prune } from '../audit/prune-chains.ts';
import type { PruneRequest } from '../inbox/store.ts';

/** An audit entry that has outlived its time. */
export interface DueEntry {
  readonly chain: number;
  readonly seq: number;
  readonly timestamp: string;
}

/** The last entry to go from each chain, by the number of the chain. */
export function lastOfChains(entries: readonly DueEntry[]): Map<number, number> {
  const last = new Map<number, number>();
  for (const { chain, seq } of entries) last.set(chain, Math.max(seq, last.get(chain) ?? seq));
  return last;
}

/** Only one chain of strangers is cut in a step. */
export function mayHaveMore(
  entries: readonly DueEntry[],
  removed: number,
  { auditBefore, limit }: PruneRequest,
): boolean {
  if (removed === 0) return false;
  const before = new Date(auditBefore).toISOString();
  return removed >= limit || entries.some(({ timestamp }) => timestamp >= before);
}

export function pruneOf(request: PruneRequest, cut: readonly ChainHead[], removed: number): Prune {
  const { auditBefore: before, anonymousBefore, now: at } = request;
  return { cut, before, removed, at, ...(anonymousBefore === undefined ? {} : { anonymousBefore }) };
}
