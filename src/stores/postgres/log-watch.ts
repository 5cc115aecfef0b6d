import type { AuditKey } from '../../audit/chain.ts';
import type { ChainHead } from '../../audit/entry.ts';
import { collectCuts } from '../../audit/prune-chains.ts';
import type { Tampering } from '../../audit/tampering.ts';
import { type EndRow, toFinding } from '../audit-row.ts';
import { IS_USED } from '../body-page.ts';
import { refuseForeignKey } from '../refuse-foreign-key.ts';
import { Tamperings } from '../tamperings.ts';
import { newestPrunes, tailAudit } from './read-audit.ts';
import type { Runner, Statement } from './transaction.ts';

/** Chains that are told of. */
const MOST = 20;

/** One statement, so that nothing is committed between a row and its entries: chains whose row does not name their newest entry,
 * those without an entry too, and entries without a row; and whether there is neither entry nor event. */
const ENDS: Statement = {
  name: 'ends-of-chains',
  text: `WITH RECURSIVE step (chain) AS (
      SELECT min(chain) FROM audit_entries
      UNION ALL
      SELECT (SELECT min(chain) FROM audit_entries WHERE chain > step.chain) FROM step WHERE step.chain IS NOT NULL
    )
    SELECT coalesce(c.writer, 'chain ' || step.chain) AS writer, c.seq, c.hash, a.seq AS last_seq, a.hash AS last_hash
    FROM audit_chains c FULL JOIN (SELECT chain FROM step WHERE chain IS NOT NULL) AS step ON step.chain = c.chain
    LEFT JOIN LATERAL (
      SELECT e.seq, e.hash FROM audit_entries e WHERE e.chain = step.chain ORDER BY e.seq DESC LIMIT 1) AS a ON true
    WHERE c.seq IS NULL OR a.seq IS NULL OR a.seq <> c.seq OR a.hash <> c.hash`,
};

const IS_EMPTY: Statement = {
  name: 'is-log-empty',
  text: `SELECT NOT EXISTS (SELECT 1 FROM audit_entries) AND used AS lost FROM (${IS_USED}) AS store`,
};

/** What the lanes of a process share about the log. */
export class LogWatch extends Tamperings {
  /** Found at the start, until one of the lanes has written it down. */
  findings: readonly Tampering[] = [];

  /** @throws SettingsError where another key has sealed the log */
  async look(runner: Runner, key: AuditKey, location: string): Promise<void> {
    await refuseForeignKey({ tailAudit: (limit) => tailAudit(runner, limit) }, key, location);
    this.findings = await findTampering(runner, key);
    for (const found of this.findings) this.add(found);
  }
}

/** What of the log is not as a receiver leaves it, as far as a start can see it in time. */
async function findTampering(runner: Runner, key: AuditKey): Promise<Tampering[]> {
  const rows = await runner.all<EndRow>(ENDS);
  const cuts = rows.length === 0 ? [] : await newestCuts(runner, key);
  const found = rows.map((row) => toFinding(row, cuts, false)).filter((one) => one !== undefined);
  const [log] = await runner.all<{ lost: boolean }>(IS_EMPTY);
  if (log?.lost === true) found.push({ reason: 'log-empty', writer: '', expected: null, found: null });
  return found.slice(0, MOST);
}

async function newestCuts(runner: Runner, key: AuditKey): Promise<readonly ChainHead[]> {
  for await (const entry of newestPrunes(runner)) {
    const cuts = collectCuts([entry], key);
    if (cuts.length > 0) return cuts;
  }
  return [];
}
