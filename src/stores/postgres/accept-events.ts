import type { AcceptResult, DeliveryRoute, NewEvent } from '../../inbox/store.ts';
import { NO_TIMESTAMP, packKeys } from '../dedup-keys.ts';
import { joinBytes, toText } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

export interface RoutedEvent {
  readonly event: NewEvent;
  readonly routes: readonly DeliveryRoute[];
}

export interface Accepted {
  /** One for each event, in order. */
  readonly results: readonly AcceptResult[];
  /** Deliveries made. */
  readonly deliveries: number;
}

/**
 * In order of key, so that two transactions with like content wait for each other and never in a circle. A key whose time
 * is over goes to the newcomer; one that lives stays, and its row stays locked until the end of the transaction, so that
 * the event it names cannot be pruned before the duplicate is answered with it.
 */
const TAKE_KEYS: Statement = {
  name: 'take-dedup-keys',
  text: `INSERT INTO dedup_keys AS k (occurred_at, key, event_id, seen_at, valid_until)
    SELECT i.occurred_at, substring($2::bytea FROM (32 * i.n - 31)::int FOR 32) AS key, i.id, i.seen_at, i.valid_until
      FROM unnest($1::bigint[], $3::uuid[], $4::bigint[], $5::bigint[])
        WITH ORDINALITY AS i (occurred_at, id, seen_at, valid_until, n)
      ORDER BY 1, 2
    ON CONFLICT (occurred_at, key) DO UPDATE
      SET event_id = excluded.event_id, seen_at = excluded.seen_at, valid_until = excluded.valid_until
      WHERE k.valid_until <= excluded.seen_at
    RETURNING event_id`,
};

/** Apart from TAKE_KEYS, because a statement does not see what others committed while it waited for them. */
const READ_KEYS: Statement = {
  name: 'read-dedup-keys',
  text: `SELECT i.n::int AS n, k.event_id FROM unnest($1::bigint[]) WITH ORDINALITY AS i (occurred_at, n)
    JOIN dedup_keys k ON k.occurred_at = i.occurred_at AND k.key = substring($2::bytea FROM (32 * i.n - 31)::int FOR 32)`,
};

const INSERT_EVENTS: Statement = {
  name: 'insert-events',
  text: `INSERT INTO events (id, received_at, type, raw_type, occurred_at, lead, campaign_id, principal, source, charset, dedup_key, bytes, body)
    SELECT i.id, i.received_at, i.type, i.raw_type, i.occurred_at, i.lead, i.campaign_id, i.principal, i.source, i.charset,
        substring($10::bytea FROM (32 * i.n - 31)::int FOR 32), i.size, substring($11::bytea FROM i.last - i.size + 1 FOR i.size)
      FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
          $14::text[], $12::int[], $13::int[])
        WITH ORDINALITY AS i (id, received_at, type, raw_type, occurred_at, lead, campaign_id, principal, source, charset, last, size, n)
      ORDER BY i.n
    RETURNING id, seq`,
};

/** Each is due at once: what it has to wait for is found out when it is claimed (see claim-deliveries.ts), so that an
 * accept waits for no other of the same lead. */
const INSERT_DELIVERIES: Statement = {
  name: 'insert-deliveries',
  text: `INSERT INTO deliveries (event_seq, handler, state, next_at, order_key, created_at, updated_at)
    SELECT i.event_seq, i.handler, 'pending', $4::bigint, hashtextextended(i.lead, 0), $4::bigint, $4::bigint
      FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS i (event_seq, handler, lead, n) ORDER BY i.n`,
};

/** Stores what is new and finds what is known, inside a transaction. Like events in one batch count as one. */
export async function acceptEvents(runner: Runner, batch: readonly RoutedEvent[], now: number): Promise<Accepted> {
  if (batch.length === 0) return { results: [], deliveries: 0 };
  const firsts = new Map<string, RoutedEvent>();
  for (const routed of batch) {
    const name = nameOf(routed.event);
    if (!firsts.has(name)) firsts.set(name, routed);
  }
  const candidates = [...firsts.values()];
  const winners = await takeKeys(runner, candidates);
  const losers = candidates.filter(({ event }) => !winners.has(event.id));
  const known = await readKeys(runner, losers);
  const deliveries = await insertEvents(
    runner,
    candidates.filter(({ event }) => winners.has(event.id)),
    now,
  );
  const results = batch.map(({ event }): AcceptResult => {
    const first = firsts.get(nameOf(event))?.event ?? event;
    const id = known.get(first.id) ?? first.id;
    return { status: first === event && id === event.id ? 'accepted' : 'duplicate', id };
  });
  return { results, deliveries };
}

function nameOf({ timestamp, dedupKey }: NewEvent): string {
  return `${timestamp ?? NO_TIMESTAMP}:${Buffer.from(dedupKey.buffer, dedupKey.byteOffset, dedupKey.byteLength).toString('latin1')}`;
}

/** Gives the ids of the events that hold their key now. */
async function takeKeys(runner: Runner, candidates: readonly RoutedEvent[]): Promise<Set<string>> {
  const { times, bytes } = packKeys(candidates.map(({ event }) => event));
  const rows = await runner.all<{ event_id: string }>(
    TAKE_KEYS,
    times,
    bytes,
    candidates.map(({ event }) => event.id),
    candidates.map(({ event }) => event.receivedAt),
    candidates.map(({ event }) => event.dedupUntil),
  );
  return new Set(rows.map(({ event_id: id }) => id));
}

/** Gives the id of the first for each of these. An event that was sent again after a commit of unknown outcome meets
 * itself here, under its own id. */
async function readKeys(runner: Runner, losers: readonly RoutedEvent[]): Promise<Map<string, string>> {
  if (losers.length === 0) return new Map();
  const { times, bytes } = packKeys(losers.map(({ event }) => event));
  const rows = await runner.all<{ n: number; event_id: string }>(READ_KEYS, times, bytes);
  return new Map(rows.map(({ n, event_id: id }) => [losers[n - 1]?.event.id ?? '', id]));
}

/** Gives how many deliveries were made. */
async function insertEvents(runner: Runner, routed: readonly RoutedEvent[], now: number): Promise<number> {
  if (routed.length === 0) return 0;
  const events = routed.map(({ event }) => event);
  const { bytes, ends } = joinBytes(events.map(({ body }) => body));
  const rows = await runner.all<{ id: string; seq: number }>(
    INSERT_EVENTS,
    events.map(({ id }) => id),
    events.map(({ receivedAt }) => receivedAt),
    events.map(({ type }) => toText(type)),
    events.map(({ rawType }) => toText(rawType)),
    events.map(({ timestamp }) => timestamp),
    events.map(({ lead }) => toText(lead)),
    events.map(({ campaignId }) => toText(campaignId)),
    events.map(({ principal }) => principal),
    events.map(({ source }) => source),
    Buffer.concat(events.map(({ dedupKey }) => dedupKey)),
    bytes,
    ends,
    events.map(({ body }) => body.byteLength),
    events.map(({ charset }) => charset),
  );
  const seqs = new Map(rows.map(({ id, seq }) => [id, seq]));
  return insertDeliveries(runner, routed, seqs, now);
}

async function insertDeliveries(
  runner: Runner,
  routed: readonly RoutedEvent[],
  seqs: ReadonlyMap<string, number>,
  now: number,
): Promise<number> {
  const deliveries = routed.flatMap(({ event, routes }) => {
    const seq = seqs.get(event.id);
    if (seq === undefined) throw new Error('an event that was stored got no number');
    return routes.map(({ handler, ordered }) => ({ seq, handler, lead: ordered ? toText(event.lead) : null }));
  });
  if (deliveries.length === 0) return 0;
  await runner.all(
    INSERT_DELIVERIES,
    deliveries.map(({ seq }) => seq),
    deliveries.map(({ handler }) => handler),
    deliveries.map(({ lead }) => lead),
    now,
  );
  return deliveries.length;
}
