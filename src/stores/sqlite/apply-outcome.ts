import type { DeliveryOutcome } from '../../inbox/store.ts';
import type { Tally } from '../tally.ts';
import type { Connection } from './connection.ts';
import { rescheduleFirst } from './order-deliveries.ts';

interface Leased {
  readonly handler: string;
  readonly order_key: string | null;
}

/** Ends one attempt. Under a lease that was lost meanwhile it changes nothing: somebody else has the delivery. */
export function applyOutcome(connection: Connection, tally: Tally, outcome: DeliveryOutcome): void {
  const { deliveryId: id, lease, at, next } = outcome;
  const leased = connection.get<Leased>(
    `SELECT handler, order_key FROM deliveries WHERE id = ? AND state = 'running' AND lease = ?`,
    id,
    lease,
  );
  if (leased === undefined) return;
  if (next.state === 'pending') {
    connection.run(
      `UPDATE deliveries SET state = 'pending', next_at = ?, hold_until = coalesce(hold_until, ?), last_error = ?,
        lease = NULL, lease_until = NULL, updated_at = ? WHERE id = ?`,
      next.retryAt,
      at + next.holdMs,
      next.error,
      at,
      id,
    );
    tally.move('running', 'pending');
  } else if (next.state === 'released') {
    connection.run(
      `UPDATE deliveries SET state = 'pending', next_at = ?, attempts = attempts - 1,
        lease = NULL, lease_until = NULL, updated_at = ? WHERE id = ?`,
      at,
      at,
      id,
    );
    tally.move('running', 'pending');
  } else {
    connection.run(
      `UPDATE deliveries SET state = ?, next_at = NULL, last_error = coalesce(?, last_error),
        lease = NULL, lease_until = NULL, updated_at = ? WHERE id = ?`,
      next.state,
      next.state === 'dead' ? next.error : null,
      at,
      id,
    );
    tally.move('running', next.state);
  }
  if (leased.order_key !== null) rescheduleFirst(connection, leased.handler, leased.order_key, at);
}
