import { type AuditKey, hashOf } from './chain.ts';
import { kindOf } from './chain-memory.ts';
import type { AuditDraft, AuditEntry, ChainHead } from './entry.ts';
import { draft } from './make-draft.ts';
import { cutsOf, prunedBefore } from './prune-chains.ts';

/** The action of an entry that says that the stored log is not as this service left it. */
export const TAMPERED = 'audit.tampered';

export type TamperReason =
  /** The chain has no row any more. */
  | 'chain-missing'
  /** The row of the chain names another entry as its newest. */
  | 'head-changed'
  /** The newest entry is gone or another. */
  | 'entry-missing'
  /** Entries belong to a chain that has no row. */
  | 'chain-unknown'
  /** The store holds events, and its log is empty. */
  | 'log-empty';

export interface Tampering {
  readonly reason: TamperReason;
  /** The chain; empty: the whole log. */
  readonly writer: string;
  /** The newest entry that there should be; `null`: not known. */
  readonly expected: ChainHead | null;
  /** The newest entry by what is stored; `null`: none. */
  readonly found: ChainHead | null;
}

const HASH_LENGTH = 64;
/** Milliseconds by which the clock of another process may be behind. */
const CLOCK_SLACK_MS = 86_400_000;

export function tamperedDraft({ reason, writer, expected, found }: Tampering, at: number): AuditDraft {
  const metadata = {
    reason,
    writer,
    expectedSeq: expected?.seq ?? null,
    expectedHash: expected?.hash ?? null,
    foundSeq: found?.seq ?? null,
    foundHash: found?.hash.slice(0, HASH_LENGTH) ?? null,
  };
  return draft({ action: TAMPERED, userId: 'service', resource: 'audit', result: 'failure', metadata, at });
}

/** The log as a lane finds it. */
export interface FoundChain {
  /** By the row of the chain; `undefined`: there is none. */
  readonly head: ChainHead | undefined;
  /** The entry that was the newest when the lane last committed. */
  readonly known: AuditEntry | undefined;
  /** The entry that the row names. */
  readonly newest: AuditEntry | undefined;
}

/**
 * Holds what a lane last committed against what is stored. A chain that is longer was continued by this lane, in a commit
 * whose outcome it never learnt: nobody else can seal an entry.
 *
 * @param head `undefined`: no commit of this chain is known
 * @param mayLeave entries leave this store one by one, as those of a spill do
 * @returns `undefined` where the chain can go on
 */
export function judgeChain(
  head: ChainHead | undefined,
  found: FoundChain,
  { key, mayLeave }: { readonly key: AuditKey; readonly mayLeave: boolean },
): TamperReason | undefined {
  if (found.head === undefined) return 'chain-missing';
  if (head !== undefined) {
    if (found.head.seq < head.seq) return 'head-changed';
    if (found.head.seq === head.seq && found.head.hash !== head.hash) return 'head-changed';
    if (found.known === undefined ? !mayLeave : found.known.hash !== head.hash) return 'entry-missing';
    if (found.head.seq === head.seq) return undefined;
  }
  const { newest } = found;
  if (newest === undefined && mayLeave) return undefined;
  const isOwn = newest !== undefined && newest.hash === found.head.hash && hashOf(newest, key) === newest.hash;
  return isOwn ? undefined : 'head-changed';
}

/**
 * Whether a prune entry explains that everything up to this head is gone. `undefined`: an older one may.
 *
 * @param since epoch milliseconds: when the head was committed
 */
export function explainsAbsence(
  entry: AuditEntry,
  head: ChainHead,
  { key, since }: { readonly key: AuditKey; readonly since: number },
): boolean | undefined {
  if (Date.parse(entry.timestamp) < since - CLOCK_SLACK_MS) return false;
  const names = (cut: ChainHead): boolean =>
    cut.writer === head.writer && (cut.seq > head.seq || (cut.seq === head.seq && cut.hash === head.hash));
  // The record of a cut may itself have been pruned since: by then all that the chain held was due.
  const explains = cutsOf(entry).some(names) || (prunedBefore(entry, kindOf(head.writer)) ?? 0) > since;
  return explains && hashOf(entry, key) === entry.hash ? true : undefined;
}
