import type { DeliveryState, StoreCounts } from '../../inbox/store.ts';
import type { Runner, Statement } from './transaction.ts';

interface CountsRow extends Readonly<Record<DeliveryState, number>> {
  readonly oldest: number | null;
  readonly held: number;
}

const COUNT: Statement = {
  name: 'read-counts',
  text: `SELECT n.pending, n.running, n.done, n.dead,
      (SELECT min(created_at) FROM deliveries WHERE state || '' = 'pending') AS oldest,
      (SELECT count(*) FROM quarantine WHERE state = 'held') AS held
    FROM (
      SELECT sum(n) FILTER (WHERE state = 'pending')::bigint AS pending, sum(n) FILTER (WHERE state = 'running')::bigint AS running,
        sum(n) FILTER (WHERE state = 'done')::bigint AS done, sum(n) FILTER (WHERE state = 'dead')::bigint AS dead
        FROM delivery_counts) AS n`,
};

export async function readCounts(runner: Runner): Promise<StoreCounts> {
  const [row] = await runner.all<CountsRow>(COUNT);
  return {
    deliveries: {
      pending: row?.pending ?? 0,
      running: row?.running ?? 0,
      done: row?.done ?? 0,
      dead: row?.dead ?? 0,
    },
    oldestPendingAt: row?.oldest ?? null,
    quarantined: row?.held ?? 0,
  };
}
