import { STRANGERS_RANGE } from '../../audit/chain-memory.ts';
import type { AuditDraft } from '../../audit/entry.ts';
import { pruneDraft } from '../../audit/prune-chains.ts';
import type { OpenChain } from './open-chain.ts';
import type { Runner, Statement } from './transaction.ts';

const NAMED: Statement = {
  name: 'heads-named-by',
  text: `SELECT c.writer, c.seq, encode(c.hash, 'hex') AS hash FROM audit_names n JOIN audit_chains c ON c.chain = n.chain
    WHERE n.named_by = $1 AND NOT starts_with(c.writer, '${STRANGERS_RANGE[0]}')
    UNION ALL SELECT c.writer, c.seq, encode(c.hash, 'hex') FROM audit_chains c WHERE starts_with(c.writer, '${STRANGERS_RANGE[0]}')`,
};
const REMOVE: Statement = {
  name: 'remove-other-entries',
  text: `WITH gone AS (DELETE FROM audit_entries WHERE chain <> $1 RETURNING 1) SELECT count(*) AS n FROM gone`,
};
const REMOVE_CHAINS: Statement = { name: 'remove-other-chains', text: 'DELETE FROM audit_chains WHERE chain <> $1' };
const REMOVE_NAMES: Statement = { name: 'remove-names', text: 'DELETE FROM audit_names WHERE chain <> $1' };

/** Inside the transaction that has begun this chain: removes all others and writes down their heads as cut. Gives how many
 * entries went. */
export async function replaceChains(runner: Runner, chain: OpenChain, entry: AuditDraft): Promise<number> {
  const { chain: own } = chain;
  const cut = await runner.all<{ writer: string; seq: number; hash: string }>(NAMED, own);
  const [row] = await runner.all<{ n: number }>(REMOVE, own);
  await runner.all(REMOVE_CHAINS, own);
  await runner.all(REMOVE_NAMES, own);
  const entries = row?.n ?? 0;
  const at = Date.parse(entry.timestamp);
  chain.append(pruneDraft({ cut, before: at, removed: entries, at }));
  chain.append({ ...entry, metadata: { ...entry.metadata, entries } });
  return entries;
}
