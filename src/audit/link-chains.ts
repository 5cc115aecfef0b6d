import type { AuditDraft, AuditEntry, AuditMetadata, ChainHead } from './entry.ts';
import { plainHeads, readHeads } from './heads.ts';
import { draft } from './make-draft.ts';

/** The action of the first entry of every chain. */
export const CHAIN_START = 'audit.chain.start';

export interface ChainStart {
  /** Heads in the store that no other first entry has named yet. A chain that has grown since it was named counts as
   * unnamed again, because it is its newest head that a later chain must hold fast. */
  readonly follows: readonly ChainHead[];
  /** Epoch milliseconds. */
  readonly at: number;
  readonly id?: string;
  /** What else is worth keeping about the process, such as its version or lane. */
  readonly metadata?: AuditMetadata;
}

/**
 * The first entry of a chain. It names the ends of the chains before it, so that to remove one of them, or its end,
 * contradicts an entry that is kept.
 */
export function chainStartDraft(start: ChainStart): AuditDraft {
  return draft({
    action: CHAIN_START,
    userId: 'service',
    resource: 'audit',
    result: 'success',
    at: start.at,
    ...(start.id === undefined ? {} : { id: start.id }),
    metadata: { ...start.metadata, follows: plainHeads(start.follows) },
  });
}

/** The heads that a first entry names; none where the entry is no such entry or cannot be read. */
export function followsOf(entry: AuditEntry): readonly ChainHead[] {
  return entry.action === CHAIN_START ? (readHeads(entry.metadata['follows']) ?? []) : [];
}
