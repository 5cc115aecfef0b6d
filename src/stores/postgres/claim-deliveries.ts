import type { ClaimedDelivery, ClaimRequest, ClaimResult } from '../../inbox/store.ts';
import { Tally } from '../tally.ts';
import type { Runner, Statement } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/** Bodies that one claim hands over at the most, so that a full house of megabyte replies does not fill the memory. */
const CLAIM_BYTES = 32 * 1024 * 1024;
/** Due deliveries of one handler looked at in one step at the least: what turns out to be held back takes no place. */
const LEAST_LOOKED_AT = 64;

/** How far the next one is away. By handler, so that each reads one entry of the index. */
const NEXT_DUE: Statement = {
  name: 'next-due',
  text: `SELECT min(next.at) AS at FROM unnest($1::text[]) AS place (handler) CROSS JOIN LATERAL (
      SELECT d.next_at AS at FROM deliveries d
        WHERE d.handler = place.handler AND d.state = 'pending' AND d.next_at IS NOT NULL ORDER BY d.next_at LIMIT 1) AS next`,
};

/**
 * Due ones that nobody else is claiming. The lock of a lane (see end-attempts.ts) is only tried: where somebody holds it, an
 * outcome is on its way that decides what may run next, and this delivery is looked at again after it.
 */
const LOCK_DUE: Statement = {
  name: 'lock-due',
  text: `SELECT due.id, due.handler FROM (
      SELECT d.id, d.handler, d.order_key, d.next_at
        FROM unnest($1::text[], $2::int[]) AS place (handler, places) CROSS JOIN LATERAL (
          SELECT c.id, c.handler, c.order_key, c.next_at FROM deliveries c
            WHERE c.handler = place.handler AND c.state = 'pending' AND c.next_at <= $3::bigint
            ORDER BY c.next_at, c.id LIMIT place.places FOR UPDATE SKIP LOCKED) AS d) AS due
    WHERE due.order_key IS NULL OR pg_try_advisory_xact_lock(hashtextextended(due.handler, due.order_key))
    ORDER BY due.next_at, due.id`,
};

/**
 * What each of them has before it in its lane. A statement of its own, so that it sees what was committed before the lanes
 * were locked. `unfailed`: one that has not failed yet holds it until it ends; one that runs holds it even where it came
 * later, which happens where two receivers accept events of one lead at once.
 */
const JUDGE: Statement = {
  name: 'judge-due',
  text: `SELECT d.id, d.handler, d.attempts, e.bytes,
      CASE WHEN d.order_key IS NULL OR d.attempts > 0 THEN false ELSE EXISTS (
        SELECT 1 FROM deliveries p
          WHERE p.handler = d.handler AND p.order_key = d.order_key AND p.state IN ('pending', 'running') AND p.id <> d.id
            AND p.hold_until IS NULL AND (p.id < d.id OR p.state = 'running')) END AS unfailed,
      d.order_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM deliveries p
          WHERE p.handler = d.handler AND p.order_key = d.order_key AND p.state IN ('pending', 'running') AND p.id < d.id) AS overtaking,
      CASE WHEN d.order_key IS NULL OR d.attempts > 0 THEN NULL ELSE (
        SELECT max(p.hold_until) FROM deliveries p
          WHERE p.handler = d.handler AND p.order_key = d.order_key AND p.state IN ('pending', 'running') AND p.id < d.id
            AND p.hold_until IS NOT NULL) END AS held_until
    FROM deliveries d JOIN events e ON e.seq = d.event_seq
    WHERE d.id = ANY ($1::bigint[]) ORDER BY d.next_at, d.id`,
};

/** Out of the index of due ones; the outcome of what is before it puts it in again. */
const HOLD_BACK: Statement = {
  name: 'hold-back',
  text: `UPDATE deliveries d SET next_at = h.at FROM unnest($1::bigint[], $2::bigint[]) AS h (id, at) WHERE d.id = h.id`,
};

const LEASE: Statement = {
  name: 'lease-deliveries',
  text: `UPDATE deliveries d SET state = 'running', attempts = d.attempts + 1, next_at = NULL, lease = $2::text, lease_until = $3::bigint, updated_at = $4::bigint
    FROM events e WHERE d.id = ANY ($1::bigint[]) AND e.seq = d.event_seq
    RETURNING d.id, d.handler, d.attempts, d.replay, e.id AS event_id, e.type, e.raw_type, e.received_at, e.occurred_at, e.lead, e.charset, e.body`,
};

interface Judged {
  readonly id: number;
  readonly handler: string;
  readonly attempts: number;
  readonly bytes: number;
  readonly unfailed: boolean;
  readonly overtaking: boolean;
  readonly held_until: number | null;
}

interface LeasedRow {
  readonly id: number;
  readonly handler: string;
  readonly attempts: number;
  readonly replay: boolean;
  readonly event_id: string;
  readonly type: string;
  readonly raw_type: string | null;
  readonly received_at: number;
  readonly occurred_at: number | null;
  readonly lead: string | null;
  readonly charset: string | null;
  readonly body: Buffer;
}

/** `undefined`: nothing of these handlers waits for a time. */
export async function nextDueAt(runner: Runner, { places }: Pick<ClaimRequest, 'places'>): Promise<number | null> {
  const [row] = await runner.all<{ at: number | null }>(
    NEXT_DUE,
    places.map(({ handler }) => handler),
  );
  return row?.at ?? null;
}

export interface ClaimStep {
  readonly deliveries: ClaimResult['deliveries'];
  /** Looked at and put behind what holds them back. */
  readonly heldBack: number;
}

/** One transaction's work. `lease` names the owner too (see recover-leases.ts). */
export async function claimStep(runner: Runner, request: ClaimRequest): Promise<ClaimStep> {
  const { places, now, leaseUntil } = request;
  const locked = await runner.all<{ id: number }>(
    LOCK_DUE,
    places.map(({ handler }) => handler),
    places.map(({ limit }) => Math.max(limit, LEAST_LOOKED_AT)),
    now,
  );
  if (locked.length === 0) return { deliveries: [], heldBack: 0 };
  const judged = await runner.all<Judged>(
    JUDGE,
    locked.map(({ id }) => id),
  );
  const held = judged.filter((row) => !mayRun(row, now));
  if (held.length > 0) {
    await runner.all(
      HOLD_BACK,
      held.map(({ id }) => id),
      held.map(({ unfailed, held_until: until }) => (unfailed ? null : until)),
    );
  }
  const chosen = choose(
    judged.filter((row) => mayRun(row, now)),
    places,
  );
  if (chosen.size === 0) return { deliveries: [], heldBack: held.length };
  const rows = await runner.all<LeasedRow>(LEASE, [...chosen.keys()], request.lease, leaseUntil, now);
  const tally = new Tally();
  for (const _ of rows) tally.move('pending', 'running');
  await writeTally(runner, tally);
  const order = [...chosen.keys()];
  const deliveries = rows
    .map((row) => toClaimed(row, request.lease, chosen.get(row.id)?.overtaking === true))
    .sort((a, b) => order.indexOf(a.deliveryId) - order.indexOf(b.deliveryId));
  return { deliveries, heldBack: held.length };
}

/** A retry has its own time; what was never tried waits for what is before it. */
function mayRun({ attempts, unfailed, held_until: until }: Judged, now: number): boolean {
  return attempts > 0 || (!unfailed && (until === null || until <= now));
}

function choose(runnable: readonly Judged[], places: ClaimRequest['places']): Map<number, Judged> {
  const free = new Map(places.map(({ handler, limit }) => [handler, limit]));
  const chosen = new Map<number, Judged>();
  let bytes = 0;
  for (const row of runnable) {
    const left = free.get(row.handler) ?? 0;
    if (left === 0 || bytes > CLAIM_BYTES) continue;
    free.set(row.handler, left - 1);
    bytes += row.bytes;
    chosen.set(row.id, row);
  }
  return chosen;
}

function toClaimed(row: LeasedRow, lease: string, outOfOrder: boolean): ClaimedDelivery {
  return {
    deliveryId: row.id,
    handler: row.handler,
    lease,
    eventId: row.event_id,
    type: row.type,
    rawType: row.raw_type,
    receivedAt: row.received_at,
    timestamp: row.occurred_at,
    lead: row.lead,
    attempt: row.attempts,
    outOfOrder,
    replay: row.replay,
    body: row.body,
    charset: row.charset,
  };
}
