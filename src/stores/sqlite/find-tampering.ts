import type { AuditKey } from '../../audit/chain.ts';
import type { ChainHead } from '../../audit/entry.ts';
import { collectCuts } from '../../audit/prune-chains.ts';
import type { Tampering } from '../../audit/tampering.ts';
import { type EndRow, toFinding } from '../audit-row.ts';
import { IS_USED } from '../body-page.ts';
import type { Connection } from './connection.ts';
import { newestPrunes } from './read-audit.ts';

/** Chains that are told of. */
const MOST = 20;

/** Chains whose row does not name their newest entry; those without an entry too. */
const ENDS = `SELECT c.writer, c.seq, c.hash, a.seq AS last_seq, a.hash AS last_hash FROM audit_chains c
  LEFT JOIN audit_entries a ON a.chain = c.chain AND a.seq = (SELECT max(e.seq) FROM audit_entries e WHERE e.chain = c.chain)
  WHERE a.seq IS NULL OR a.seq <> c.seq OR a.hash <> c.hash`;

/** Steps from one chain to the next in the index. */
const WITHOUT_ROW = `WITH RECURSIVE step (chain) AS (
    SELECT min(chain) FROM audit_entries
    UNION ALL
    SELECT (SELECT min(chain) FROM audit_entries WHERE chain > step.chain) FROM step WHERE step.chain IS NOT NULL
  )
  SELECT 'chain ' || step.chain AS writer, NULL AS seq, NULL AS hash, a.seq AS last_seq, a.hash AS last_hash FROM step
    JOIN audit_entries a ON a.chain = step.chain AND a.seq = (SELECT max(e.seq) FROM audit_entries e WHERE e.chain = step.chain)
    WHERE NOT EXISTS (SELECT 1 FROM audit_chains c WHERE c.chain = step.chain)`;

/**
 * What of the log is not as a receiver leaves it, as far as a start can see it in time.
 *
 * @param mayLeave entries leave this file one by one
 */
export function findTampering(connection: Connection, key: AuditKey, mayLeave: boolean): Tampering[] {
  const cuts = mayLeave ? [] : newestCuts(connection, key);
  const rows = [...connection.all<EndRow>(ENDS), ...connection.all<EndRow>(WITHOUT_ROW)];
  const found = rows.map((row) => toFinding(row, cuts, mayLeave)).filter((one) => one !== undefined);
  const isEmpty = connection.get('SELECT 1 FROM audit_entries LIMIT 1') === undefined;
  const isUsed = connection.get<{ used: number }>(IS_USED)?.used === 1;
  if (isEmpty && isUsed && !mayLeave) found.push({ reason: 'log-empty', writer: '', expected: null, found: null });
  return found.slice(0, MOST);
}

function newestCuts(connection: Connection, key: AuditKey): readonly ChainHead[] {
  for (const entry of newestPrunes(connection)) {
    const cuts = collectCuts([entry], key);
    if (cuts.length > 0) return cuts;
  }
  return [];
}
