import type { DeliveryState, OrphanedHandler, Orphans, StoreCounts } from '../../inbox/store.ts';
import { IS_ORPHANED, MAX_COUNTED } from '../event-row.ts';
import type { Runner, Statement } from './transaction.ts';

interface CountsRow extends Readonly<Record<DeliveryState, number>> {
  readonly oldest: number | null;
  readonly held: number;
}

const COUNT: Statement = {
  name: 'read-counts',
  text: `SELECT n.pending, n.running, n.done, n.dead, n.discarded,
      (SELECT min(created_at) FROM deliveries WHERE state || '' = 'pending') AS oldest,
      (SELECT count(*) FROM quarantine WHERE state = 'held') AS held
    FROM (
      SELECT sum(n) FILTER (WHERE state = 'pending')::bigint AS pending, sum(n) FILTER (WHERE state = 'running')::bigint AS running,
        sum(n) FILTER (WHERE state = 'done')::bigint AS done, sum(n) FILTER (WHERE state = 'dead')::bigint AS dead,
        sum(n) FILTER (WHERE state = 'discarded')::bigint AS discarded
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
      discarded: row?.discarded ?? 0,
    },
    oldestPendingAt: row?.oldest ?? null,
    quarantined: row?.held ?? 0,
  };
}

/** Jumps from one handler to the next in the index of due ones, however many deliveries each has. */
const COUNT_ORPHANS: Statement = {
  name: 'count-orphans',
  text: `WITH RECURSIVE waiting (name) AS (
      (SELECT handler FROM deliveries WHERE state = 'pending' AND next_at IS NOT NULL ORDER BY handler LIMIT 1)
      UNION ALL SELECT (SELECT handler FROM deliveries WHERE state = 'pending' AND next_at IS NOT NULL AND handler > waiting.name
        ORDER BY handler LIMIT 1) FROM waiting WHERE waiting.name IS NOT NULL),
    dead AS (SELECT d.handler AS name, count(*) AS n FROM deliveries d WHERE d.state = 'dead' GROUP BY d.handler)
    SELECT d.handler, (
        SELECT count(*) FROM (SELECT 1 FROM deliveries p WHERE p.handler = d.handler AND p.state = 'pending' AND p.next_at IS NOT NULL
          LIMIT ${MAX_COUNTED}) AS due) + (
        SELECT count(*) FROM (SELECT 1 FROM deliveries p WHERE p.handler = d.handler AND p.order_key IS NOT NULL
          AND p.state IN ('pending', 'running') AND p.state = 'pending' AND p.next_at IS NULL LIMIT ${MAX_COUNTED}) AS held) AS pending,
      coalesce((SELECT dead.n FROM dead WHERE dead.name = d.handler), 0) AS dead
    FROM (SELECT name AS handler FROM waiting WHERE name IS NOT NULL UNION SELECT name FROM dead) AS d
    WHERE ${IS_ORPHANED} ORDER BY d.handler COLLATE "C"`,
};

const OLDEST_LIVE: Statement = {
  name: 'oldest-live',
  text: `SELECT d.created_at AS at FROM (
      SELECT handler, created_at FROM deliveries WHERE state || '' = 'pending' ORDER BY created_at LIMIT ${MAX_COUNTED}) AS d
    WHERE NOT ${IS_ORPHANED} LIMIT 1`,
};

export async function readOrphans(runner: Runner): Promise<Orphans> {
  const handlers = await runner.all<OrphanedHandler>(COUNT_ORPHANS);
  const [oldest] = await runner.all<{ at: number }>(OLDEST_LIVE);
  return { handlers, oldestPendingAt: oldest?.at ?? null };
}
