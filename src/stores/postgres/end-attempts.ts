import type { DeliveryState } from '../../inbox/store.ts';
import { toText } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

/** How an attempt ended, whoever says so: the process that ran it, or the one that takes back its lease. */
export interface EndedAttempt {
  readonly id: number;
  readonly lease: string;
  readonly state: Exclude<DeliveryState, 'running'>;
  readonly at: number;
  readonly nextAt: number | null;
  /** Set once, by the first failure. */
  readonly holdUntil: number | null;
  readonly error: string | null;
  /** Whether the attempt counts. */
  readonly counts: boolean;
}

/**
 * The lane of a handler and a lead: whoever changes what may run next in it holds this lock, and everybody takes several in
 * the same order. An advisory lock, because a lane has no row of its own, and one that a claim can try without waiting.
 */
const LOCK_LANES: Statement = {
  name: 'lock-lanes',
  text: `SELECT pg_advisory_xact_lock(lane) FROM (
      SELECT DISTINCT hashtextextended(handler, order_key) AS lane FROM deliveries
        WHERE id = ANY ($1::bigint[]) AND order_key IS NOT NULL ORDER BY lane) AS lanes`,
};

/** Under a lease that was lost meanwhile nothing is changed: somebody else has the delivery. Only what runs has a lease; to
 * ask for its state too would have the planner go through all that run. */
const END: Statement = {
  name: 'end-attempts',
  text: `UPDATE deliveries d
    SET state = o.state, next_at = o.next_at, hold_until = coalesce(d.hold_until, o.hold_until),
      attempts = d.attempts - CASE WHEN o.counts THEN 0 ELSE 1 END, last_error = coalesce(o.error, d.last_error),
      lease = NULL, lease_until = NULL, updated_at = o.at
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::boolean[])
      AS o (id, lease, state, at, next_at, hold_until, error, counts)
    WHERE d.id = o.id AND d.lease = o.lease
    RETURNING d.id, d.state`,
};

const DISCARD: Statement = {
  name: 'discard-deliveries',
  text: `UPDATE deliveries d SET state = 'discarded', next_at = NULL, updated_at = $2::bigint
    WHERE d.id = ANY ($1::bigint[]) AND d.state IN ('pending', 'dead') RETURNING d.id`,
};

/**
 * Gives the first untried delivery of each lane its due time: at once where nothing before it is unfinished, at the end of
 * the hold where everything before it has failed, else never (until that has ended too). A statement of its own, so that
 * it sees what was committed before the lanes were locked, and what END has changed.
 */
const RESCHEDULE: Statement = {
  name: 'reschedule-lanes',
  text: `UPDATE deliveries d SET next_at = due.at
    FROM (SELECT DISTINCT handler, order_key FROM deliveries WHERE id = ANY ($1::bigint[]) AND order_key IS NOT NULL) AS lane
    CROSS JOIN LATERAL (
      SELECT f.id, f.next_at FROM deliveries f
        WHERE f.handler = lane.handler AND f.order_key = lane.order_key AND f.state = 'pending' AND f.attempts = 0
        ORDER BY f.id LIMIT 1) AS first
    CROSS JOIN LATERAL (
      SELECT CASE WHEN bool_or(p.hold_until IS NULL) THEN NULL ELSE greatest($2::bigint, max(p.hold_until)) END AS at
        FROM deliveries p
        WHERE p.handler = lane.handler AND p.order_key = lane.order_key AND p.state IN ('pending', 'running') AND p.id <> first.id
          AND (p.id < first.id OR (p.state = 'running' AND p.hold_until IS NULL))) AS due
    WHERE d.id = first.id AND d.next_at IS DISTINCT FROM due.at
      AND NOT coalesce(d.next_at <= $2::bigint AND due.at <= $2::bigint, false)`,
};

/** Inside a transaction. Ends deliveries that wait or are dead; returns the ids of those that still were. */
export async function discardWaiting(runner: Runner, ids: readonly number[], now: number): Promise<number[]> {
  await runner.all(LOCK_LANES, ids);
  const rows = await runner.all<{ id: number }>(DISCARD, ids, now);
  const ended = rows.map(({ id }) => id);
  // The handler may come back: what was behind them waits no more.
  if (ended.length > 0) await runner.all(RESCHEDULE, ended, now);
  return ended;
}

/** Milliseconds by which the clocks of two machines may differ. */
const SKEW_MS = 60_000;

const FROM_LATER: Statement = {
  name: 'deliveries-from-later',
  text: `SELECT id FROM deliveries WHERE state = 'pending' AND next_at > $1::bigint AND updated_at > $1::bigint + ${SKEW_MS}
    ORDER BY id LIMIT 500`,
};
const BRING_BACK: Statement = {
  name: 'bring-back-times',
  text: `UPDATE deliveries SET updated_at = $2::bigint, next_at = $2::bigint + greatest(0, next_at - updated_at),
      hold_until = $2::bigint + greatest(0, hold_until - updated_at)
    WHERE id = ANY ($1::bigint[]) AND state = 'pending' AND updated_at > $2::bigint + ${SKEW_MS} AND next_at IS NOT NULL`,
};

/** One step, inside a transaction. Times that were written by a clock that was set back since are counted from now: the same
 * waits begin anew, and end. Gives how many. */
export async function bringBackTimes(runner: Runner, now: number): Promise<number> {
  const ids = (await runner.all<{ id: number }>(FROM_LATER, now)).map(({ id }) => id);
  if (ids.length === 0) return 0;
  await runner.all(LOCK_LANES, ids);
  await runner.all(BRING_BACK, ids, now);
  await runner.all(RESCHEDULE, ids, now);
  return ids.length;
}

/** Inside a transaction. Gives how many deliveries went into each state; those of a lost lease went nowhere. */
export async function endAttempts(
  runner: Runner,
  ended: readonly EndedAttempt[],
  now: number,
): Promise<Map<DeliveryState, number>> {
  const moved = new Map<DeliveryState, number>();
  if (ended.length === 0) return moved;
  const ids = ended.map(({ id }) => id);
  await runner.all(LOCK_LANES, ids);
  const rows = await runner.all<{ id: number; state: DeliveryState }>(
    END,
    ids,
    ended.map(({ lease }) => lease),
    ended.map(({ state }) => state),
    ended.map(({ at }) => at),
    ended.map(({ nextAt }) => nextAt),
    ended.map(({ holdUntil }) => holdUntil),
    ended.map(({ error }) => toText(error)),
    ended.map(({ counts }) => counts),
  );
  for (const { state } of rows) moved.set(state, (moved.get(state) ?? 0) + 1);
  const changed = rows.map(({ id }) => id);
  if (changed.length > 0) await runner.all(RESCHEDULE, changed, now);
  return moved;
}
