import { GENESIS_HASH, type SealedEntry } from '../../audit/chain.ts';
import type { ChainHead } from '../../audit/entry.ts';
import { SQL } from './audit-statements.ts';
import type { Statement, Value } from './transaction.ts';

/**
 * Entries that follow each other, and the chain's new head. Their hashes go as one block, each being the next one's
 * `prevHash`.
 *
 * @param seq of the entry before them; 0: they begin the chain
 * @param mayBeGone whether that entry may have been removed
 */
export function insertEntries(
  chain: number,
  entries: readonly SealedEntry[],
  { seq, head, mayBeGone }: { readonly seq: number; readonly head: ChainHead; readonly mayBeGone: boolean },
): { readonly statement: Statement; readonly values: Value[] } {
  const hashes = [entries[0]?.prevHash ?? GENESIS_HASH, ...entries.map(({ hash }) => hash)].join('');
  return {
    statement: SQL.insertEntries,
    values: [
      chain,
      head.seq,
      Buffer.from(head.hash, 'hex'),
      seq,
      entries.map(({ id }) => id),
      entries.map(({ timestamp }) => timestamp),
      entries.map(({ action }) => action),
      entries.map(({ userId }) => userId),
      entries.map(({ resource }) => resource),
      entries.map(({ result }) => result),
      entries.map(({ metadataText }) => metadataText),
      Buffer.from(hashes, 'hex'),
      mayBeGone,
    ],
  };
}
