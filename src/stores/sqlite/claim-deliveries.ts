import type { ClaimedDelivery, ClaimRequest, ClaimResult } from '../../inbox/store.ts';
import { Tally } from '../tally.ts';
import type { Connection } from './connection.ts';
import { isOvertaking, rescheduleFirst } from './order-deliveries.ts';
import { writeTally } from './write-tally.ts';

interface DueRow {
  readonly id: number;
  readonly order_key: string | null;
  readonly attempts: number;
  readonly replay: number;
  readonly event_id: string;
  readonly type: string;
  readonly raw_type: string | null;
  readonly received_at: number;
  readonly occurred_at: number | null;
  readonly lead: string | null;
  readonly event_seq: number;
  readonly charset: string | null;
  readonly bytes: number;
}

/** Bodies that one claim hands over at the most, so that a full house of megabyte replies does not fill the memory. */
const CLAIM_BYTES = 32 * 1024 * 1024;

/** `owner` is this process's lane; leases name it, so that another process's are told from ours. */
export function claimDeliveries(connection: Connection, owner: string, claim: ClaimRequest): ClaimResult {
  const request = { ...claim, lease: `${owner}:${claim.lease}` };
  if (!hasDue(connection, request)) return { deliveries: [], nextDueAt: nextDueAt(connection, request) };
  // Nobody is told of it. What a lost current takes back of it is claimed again, as it would be after any crash.
  return connection.unsynced(() => {
    const tally = new Tally();
    const deliveries: ClaimedDelivery[] = [];
    let bytes = 0;
    for (const { handler, limit } of request.places) {
      for (const row of dueRows(connection, handler, request.now, limit)) {
        if (bytes > CLAIM_BYTES) break;
        bytes += row.bytes;
        deliveries.push(lease(connection, row, handler, request));
        tally.move('pending', 'running');
      }
    }
    writeTally(connection, tally);
    return { deliveries, nextDueAt: nextDueAt(connection, request) };
  });
}

/** Most wake-ups find nothing due; they should not take the write lock. */
function hasDue(connection: Connection, { places, now }: ClaimRequest): boolean {
  return places.some(
    ({ handler }) =>
      connection.get(
        `SELECT 1 FROM deliveries WHERE handler = ? AND state = 'pending' AND next_at IS NOT NULL AND next_at <= ? LIMIT 1`,
        handler,
        now,
      ) !== undefined,
  );
}

function dueRows(connection: Connection, handler: string, now: number, limit: number): DueRow[] {
  return connection.all<DueRow>(
    `SELECT d.id, d.order_key, d.attempts, d.replay, e.id AS event_id, e.type, e.raw_type, e.received_at, e.occurred_at, e.lead, e.bytes, e.charset, d.event_seq
      FROM deliveries d JOIN events e ON e.seq = d.event_seq
      WHERE d.handler = ? AND d.state = 'pending' AND d.next_at IS NOT NULL AND d.next_at <= ?
      ORDER BY d.next_at, d.id LIMIT ?`,
    handler,
    now,
    limit,
  );
}

function lease(connection: Connection, row: DueRow, handler: string, request: ClaimRequest): ClaimedDelivery {
  connection.run(
    `UPDATE deliveries SET state = 'running', attempts = attempts + 1, next_at = NULL, lease = ?, lease_until = ?, updated_at = ?
      WHERE id = ?`,
    request.lease,
    request.leaseUntil,
    request.now,
    row.id,
  );
  const outOfOrder = row.order_key !== null && isOvertaking(connection, handler, row.order_key, row.id);
  // With this one tried, the next of its lead is the first untried one: where every delivery before it has failed and
  // its hold is known, it has a due time from now on.
  if (row.order_key !== null) rescheduleFirst(connection, handler, row.order_key, request.now);
  return {
    deliveryId: row.id,
    handler,
    lease: request.lease,
    eventId: row.event_id,
    type: row.type,
    rawType: row.raw_type,
    receivedAt: row.received_at,
    timestamp: row.occurred_at,
    lead: row.lead,
    attempt: row.attempts + 1,
    outOfOrder,
    replay: row.replay === 1,
    body: readBody(connection, row.event_seq),
    charset: row.charset,
  };
}

/** One by one, so that bodies beyond what a claim hands over are not read at all. */
function readBody(connection: Connection, seq: number): Uint8Array {
  return connection.get<{ body: Uint8Array }>('SELECT body FROM events WHERE seq = ?', seq)?.body ?? new Uint8Array(0);
}

function nextDueAt(connection: Connection, { places }: ClaimRequest): number | null {
  let next: number | null = null;
  for (const { handler } of places) {
    const due = connection.get<{ at: number | null }>(
      `SELECT min(next_at) AS at FROM deliveries WHERE handler = ? AND state = 'pending' AND next_at IS NOT NULL`,
      handler,
    )?.at;
    if (due !== null && due !== undefined && (next === null || due < next)) next = due;
  }
  return next;
}

/** Milliseconds by which a time may be ahead without the clock having been set. */
const AHEAD_MS = 1_000;

/**
 * To be called when a process begins. Times that were written by a clock that was set back since are counted from now: the same
 * waits begin anew, and end.
 */
export function bringBackTimes(connection: Connection, now: number): void {
  connection.transaction(() => {
    const lanes = connection.all<{ handler: string; order_key: string }>(
      `SELECT DISTINCT handler, order_key FROM deliveries
        WHERE state = 'pending' AND next_at > ?1 AND updated_at > ?2 AND order_key IS NOT NULL`,
      now,
      now + AHEAD_MS,
    );
    connection.run(
      `UPDATE deliveries SET updated_at = ?1, next_at = ?1 + max(0, next_at - updated_at), hold_until = ?1 + max(0, hold_until - updated_at)
        WHERE state = 'pending' AND next_at > ?1 AND updated_at > ?2`,
      now,
      now + AHEAD_MS,
    );
    for (const { handler, order_key: orderKey } of lanes) rescheduleFirst(connection, handler, orderKey, now);
  });
}

/**
 * Takes back the leases of processes that are gone (one process runs handlers on a file, so any other owner is gone),
 * and those whose time is over. Such an attempt stays counted: a
 * delivery that kills its process must end dead one day.
 */
export function recoverLeases(connection: Connection, owner: string, now: number, maxAttempts: number): number {
  const stale = (): { id: number; handler: string; order_key: string | null; attempts: number }[] =>
    connection.all(
      `SELECT id, handler, order_key, attempts FROM deliveries WHERE state = 'running' AND (lease_until <= ?1 OR substr(lease, 1, length(?2)) <> ?2) LIMIT 1000`,
      now,
      owner,
    );
  if (stale().length === 0) return 0;
  return connection.transaction(() => {
    const tally = new Tally();
    const rows = stale();
    for (const { id, handler, order_key: orderKey, attempts } of rows) {
      const state = attempts >= maxAttempts ? 'dead' : 'pending';
      connection.run(
        `UPDATE deliveries SET state = ?, next_at = ?, last_error = ?, lease = NULL, lease_until = NULL, updated_at = ? WHERE id = ?`,
        state,
        state === 'pending' ? now : null,
        'the process ended during this attempt',
        now,
        id,
      );
      tally.move('running', state);
      if (orderKey !== null) rescheduleFirst(connection, handler, orderKey, now);
    }
    writeTally(connection, tally);
    return rows.length;
  });
}
