import type { Connection } from './connection.ts';

/**
 * Deliveries of one handler for one lead run one after the other. Only the first that was never tried may have a due
 * time; it waits for those before it: one that has not failed yet holds it until it ends (NULL), a failing one until its
 * hold is over. Those behind it have none. So what is held back costs a claim nothing: it is not in the index of due ones.
 */

const NEVER = null;

/** The due time of a delivery that comes after all others of its handler and lead. */
export function dueTimeOfNewest(connection: Connection, handler: string, orderKey: string, now: number): number | null {
  const unstarted = connection.get(
    `SELECT 1 FROM deliveries WHERE handler = ? AND order_key = ? AND state = 'pending' AND attempts = 0 LIMIT 1`,
    handler,
    orderKey,
  );
  return unstarted === undefined ? endOfHold(connection, handler, orderKey, Number.MAX_SAFE_INTEGER, now) : NEVER;
}

/** To be called whenever a delivery of this handler and lead has changed: gives the first untried one its due time. */
export function rescheduleFirst(connection: Connection, handler: string, orderKey: string, now: number): void {
  const first = connection.get<{ id: number; next_at: number | null }>(
    `SELECT id, next_at FROM deliveries WHERE handler = ? AND order_key = ? AND state = 'pending' AND attempts = 0 ORDER BY id LIMIT 1`,
    handler,
    orderKey,
  );
  if (first === undefined) return;
  const due = endOfHold(connection, handler, orderKey, first.id, now);
  const alreadyDue = first.next_at !== null && first.next_at <= now && due === now;
  if (!alreadyDue && due !== first.next_at)
    connection.run('UPDATE deliveries SET next_at = ? WHERE id = ?', due, first.id);
}

function endOfHold(
  connection: Connection,
  handler: string,
  orderKey: string,
  before: number,
  now: number,
): number | null {
  const row = connection.get<{ unfailed: number | null; until: number | null }>(
    `SELECT max(hold_until IS NULL) AS unfailed, max(hold_until) AS until FROM deliveries
      WHERE handler = ? AND order_key = ? AND state IN ('pending', 'running') AND id < ?`,
    handler,
    orderKey,
    before,
  );
  if (row?.unfailed === 1) return NEVER;
  return Math.max(now, row?.until ?? now);
}

/** Whether an earlier delivery of this handler and lead is still unfinished. */
export function isOvertaking(connection: Connection, handler: string, orderKey: string, id: number): boolean {
  return (
    connection.get(
      `SELECT 1 FROM deliveries WHERE handler = ? AND order_key = ? AND state IN ('pending', 'running') AND id < ? LIMIT 1`,
      handler,
      orderKey,
      id,
    ) !== undefined
  );
}
