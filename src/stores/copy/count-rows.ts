import type { Runner, Statement } from '../postgres/transaction.ts';
import { COPIED_DOCUMENT, type CopySource } from '../sqlite/copy-source.ts';

/** Rows by what they are, as the databases themselves count them. */
export type RowCounts = ReadonlyMap<string, number>;

interface Counted {
  readonly what: string;
  readonly n: number;
}

const QUARANTINE = `SELECT 'quarantined, held', count(*) FROM quarantine WHERE state = 'held'
  UNION ALL SELECT 'quarantined, retried', count(*) FROM quarantine WHERE state = 'retried'`;
const FINISHED = `SELECT 'deliveries done', count(*) FROM deliveries WHERE state = 'done'
  UNION ALL SELECT 'deliveries dead', count(*) FROM deliveries WHERE state = 'dead'
  UNION ALL SELECT 'deliveries discarded', count(*) FROM deliveries WHERE state = 'discarded'`;
const OTHERS = `SELECT 'handlers', count(*) FROM handlers
  UNION ALL SELECT 'secrets seen', count(*) FROM secrets_seen
  UNION ALL SELECT 'audit chains', count(*) FROM audit_chains
  UNION ALL SELECT 'audit entries', count(*) FROM audit_entries`;

/** What ran when its process ended is pending in the copy. `counted as`: what a store keeps beside its deliveries, so that
 * nobody has to count them; the file's are not copied but made anew. */
const IN_FILE = `SELECT 'events' AS what, count(*) AS n FROM events
  UNION ALL SELECT 'deduplication keys', count(*) FROM dedup_keys k JOIN events e ON e.seq = k.event_seq
  UNION ALL SELECT 'deliveries pending', count(*) FROM deliveries WHERE state IN ('pending', 'running')
  UNION ALL SELECT 'deliveries running', 0
  UNION ALL ${FINISHED}
  UNION ALL SELECT 'counted as pending', count(*) FROM deliveries WHERE state IN ('pending', 'running')
  UNION ALL SELECT 'counted as running', 0
  UNION ALL SELECT 'counted as done', count(*) FROM deliveries WHERE state = 'done'
  UNION ALL SELECT 'counted as dead', count(*) FROM deliveries WHERE state = 'dead'
  UNION ALL SELECT 'counted as discarded', count(*) FROM deliveries WHERE state = 'discarded'
  UNION ALL ${QUARANTINE}
  UNION ALL ${OTHERS}
  UNION ALL SELECT 'documents', count(*) FROM documents WHERE ${COPIED_DOCUMENT}
  UNION ALL SELECT 'chains named by others', count(*) FROM audit_chains WHERE named_by IS NOT NULL`;

const IN_COPY: Statement = {
  name: 'count-copied',
  text: `SELECT 'events' AS what, count(*) AS n FROM events
  UNION ALL SELECT 'deduplication keys', count(*) FROM dedup_keys
  UNION ALL SELECT 'deliveries pending', count(*) FROM deliveries WHERE state = 'pending'
  UNION ALL SELECT 'deliveries running', count(*) FROM deliveries WHERE state = 'running'
  UNION ALL ${FINISHED}
  UNION ALL SELECT 'counted as ' || state, sum(n)::bigint FROM delivery_counts GROUP BY state
  UNION ALL ${QUARANTINE}
  UNION ALL ${OTHERS}
  UNION ALL SELECT 'documents', count(*) FROM documents
  UNION ALL SELECT 'chains named by others', count(*) FROM audit_names`,
};

export function countSource(source: CopySource): RowCounts {
  return toMap(source.all<Counted>(IN_FILE));
}

export async function countTarget(runner: Runner): Promise<RowCounts> {
  return toMap(await runner.all<Counted>(IN_COPY));
}

/** Rows that are copied one by one. */
export function sumOfRows(counts: RowCounts): number {
  let sum = 0;
  for (const [what, n] of counts) {
    if (/^(events|deliveries|quarantined|audit|handlers|secrets|documents)/.test(what)) sum += n;
  }
  return sum;
}

function toMap(rows: readonly Counted[]): RowCounts {
  return new Map(rows.map(({ what, n }) => [what, n]));
}
