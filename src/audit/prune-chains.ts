import { type AuditKey, hashOf } from './chain.ts';
import type { ChainKind } from './chain-memory.ts';
import type { AuditDraft, AuditEntry, ChainHead } from './entry.ts';
import { plainHeads, readHeads } from './heads.ts';
import { draft } from './make-draft.ts';

/** The action of an entry that records which starts of chains were removed. */
export const PRUNE = 'audit.prune';

export interface Prune {
  /** From `carryCuts`. */
  readonly cut: readonly ChainHead[];
  /** Epoch milliseconds: entries older than this were due. */
  readonly before: number;
  /** The same for chains of strangers; absent: no other. */
  readonly anonymousBefore?: number;
  /** How many entries this step removed. */
  readonly removed: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly id?: string;
}

/**
 * The record of one step of pruning. It belongs into the same transaction as the removal: `audit verify` takes a
 * chain to begin right after its newest recorded cut, neither before nor behind it.
 */
export function pruneDraft(prune: Prune): AuditDraft {
  return draft({
    action: PRUNE,
    userId: 'service',
    resource: 'audit',
    result: 'success',
    at: prune.at,
    ...(prune.id === undefined ? {} : { id: prune.id }),
    metadata: {
      before: new Date(prune.before).toISOString(),
      anonymousBefore: prune.anonymousBefore === undefined ? undefined : new Date(prune.anonymousBefore).toISOString(),
      entries: prune.removed,
      cut: plainHeads(prune.cut),
    },
  });
}

/**
 * The cut for the last entry that is to go from a chain; `undefined` where that entry is not as it was sealed. Then
 * nothing of the chain may be pruned: whoever could make an entry look old would have us sign for its removal.
 * The whole part before it need not be checked, since no entry before a genuine one is newer.
 */
export function cutAt(last: AuditEntry, key: AuditKey): ChainHead | undefined {
  if (hashOf(last, key) !== last.hash) return undefined;
  return { writer: last.writer, seq: last.seq, hash: last.hash };
}

/**
 * The newest cut of each chain by the prune entries given. Entries that are not as they were sealed count for
 * nothing, and no table beside the chain may stand in for them: a cut carried forward is signed anew.
 */
export function collectCuts(entries: Iterable<AuditEntry>, key: AuditKey): ChainHead[] {
  const newest = new Map<string, ChainHead>();
  for (const entry of entries) {
    if (hashOf(entry, key) === entry.hash) for (const cut of cutsOf(entry)) keepNewest(newest, cut);
  }
  return [...newest.values()];
}

/** The cuts that an entry records; none where it is no prune entry or cannot be read. */
export function cutsOf(entry: AuditEntry): readonly ChainHead[] {
  return entry.action === PRUNE ? (readHeads(entry.metadata['cut']) ?? []) : [];
}

/** Epoch milliseconds: older entries of such chains were due by this prune entry; `undefined` where it cannot be read. */
export function prunedBefore({ metadata }: AuditEntry, kind: ChainKind): number | undefined {
  const { before, anonymousBefore = before } = metadata;
  const time = Date.parse(String(kind === 'strangers' ? anonymousBefore : before));
  return Number.isNaN(time) ? undefined : time;
}

export interface CutsToCarry {
  /** What `collectCuts` gave over every prune entry stored before this step, those about to go included. */
  readonly previous: Iterable<ChainHead>;
  /** The cuts of this step. */
  readonly made: Iterable<ChainHead>;
  /** Writers with entries left after this step, and those that may still write. */
  readonly live: ReadonlySet<string>;
  /** Heads named by first entries left after this step (`followsOf`). */
  readonly named: Iterable<ChainHead>;
}

/**
 * What the next prune entry lists: its own cuts, and of the older ones those without which something kept would not
 * hold, so that only the newest prune entries must survive and the list does not grow with the age of the log.
 */
export function carryCuts({ previous, made, live, named }: CutsToCarry): ChainHead[] {
  const needed = new Set(live);
  for (const head of named) needed.add(head.writer);
  const carried = new Map<string, ChainHead>();
  for (const cut of previous) if (needed.has(cut.writer)) keepNewest(carried, cut);
  for (const cut of made) keepNewest(carried, cut);
  return plainHeads(carried.values());
}

function keepNewest(cuts: Map<string, ChainHead>, cut: ChainHead): void {
  const known = cuts.get(cut.writer);
  if (known === undefined || cut.seq > known.seq) cuts.set(cut.writer, cut);
}
