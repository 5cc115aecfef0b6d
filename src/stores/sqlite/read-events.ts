import type {
  DeadFilter,
  DeliveryState,
  EventFilter,
  EventSource,
  StoreCounts,
  StoredDelivery,
  StoredEvent,
} from '../../inbox/store.ts';
import type { Connection } from './connection.ts';

interface EventRow {
  readonly seq: number;
  readonly id: string;
  readonly received_at: number;
  readonly type: string;
  readonly raw_type: string | null;
  readonly occurred_at: number | null;
  readonly lead: string | null;
  readonly campaign_id: string | null;
  readonly principal: string;
  readonly source: EventSource;
  readonly bytes: number;
}

interface DeliveryRow {
  readonly event_id: string;
  readonly type: string;
  readonly handler: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly next_at: number | null;
  readonly last_error: string | null;
  readonly updated_at: number;
}

const EVENT_COLUMNS =
  'e.seq, e.id, e.received_at, e.type, e.raw_type, e.occurred_at, e.lead, e.campaign_id, e.principal, e.source, e.bytes';
const DELIVERY_COLUMNS =
  'e.id AS event_id, e.type, d.handler, d.state, d.attempts, d.next_at, d.last_error, d.updated_at';

const STATES: Record<DeliveryState, string> = {
  pending: "'pending'",
  running: "'running'",
  done: "'done'",
  dead: "'dead'",
};

/** Conditions over `events e` for a filter, with the values in order. */
export function matchEvents(filter: Omit<EventFilter, 'limit'>): { where: string; values: (string | number)[] } {
  const conditions: [string, string | number | undefined][] = [
    ['e.id IN (SELECT value FROM json_each(?))', filter.ids && JSON.stringify(filter.ids)],
    ['e.type = ?', filter.type],
    ['e.lead = ?', filter.lead],
    ['e.campaign_id = ?', filter.campaign],
    ['e.received_at >= ?', filter.since],
    ['e.received_at < ?', filter.until],
  ];
  const used = conditions.filter((pair): pair is [string, string | number] => pair[1] !== undefined);
  const where = used.map(([condition]) => condition);
  // The state as a literal of our own, since a partial index serves no bound value.
  if (filter.state !== undefined)
    where.push(`e.seq IN (SELECT event_seq FROM deliveries WHERE state = ${STATES[filter.state]})`);
  return { where: where.length === 0 ? '1' : where.join(' AND '), values: used.map(([, value]) => value) };
}

export function listEvents(connection: Connection, filter: EventFilter): StoredEvent[] {
  const { where, values } = matchEvents(filter);
  return connection
    .all<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM events e WHERE ${where} ORDER BY e.seq DESC LIMIT ?`,
      ...values,
      filter.limit,
    )
    .map((row) => toEvent(connection, row));
}

export function findEvent(
  connection: Connection,
  id: string,
): (StoredEvent & { body: Uint8Array; runs: StoredDelivery[] }) | undefined {
  const row = connection.get<EventRow & { body: Uint8Array }>(
    `SELECT ${EVENT_COLUMNS}, e.body FROM events e WHERE e.id = ?`,
    id,
  );
  if (row === undefined) return undefined;
  const runs = connection.all<DeliveryRow>(
    `SELECT ${DELIVERY_COLUMNS} FROM deliveries d JOIN events e ON e.seq = d.event_seq WHERE d.event_seq = ? ORDER BY d.id`,
    row.seq,
  );
  return { ...toEvent(connection, row), body: row.body, runs: runs.map(toDelivery) };
}

export function listDead(connection: Connection, filter: DeadFilter): StoredDelivery[] {
  return connection
    .all<DeliveryRow>(
      `SELECT ${DELIVERY_COLUMNS} FROM deliveries d JOIN events e ON e.seq = d.event_seq
        WHERE d.state = 'dead' AND (?1 IS NULL OR d.handler = ?1) AND (?2 IS NULL OR e.id IN (SELECT value FROM json_each(?2)))
        ORDER BY d.id DESC LIMIT ?3`,
      filter.handler ?? null,
      filter.eventIds === undefined ? null : JSON.stringify(filter.eventIds),
      filter.limit,
    )
    .map(toDelivery);
}

export function readCounts(connection: Connection): StoreCounts {
  const counted = connection.all<{ state: DeliveryState; n: number }>('SELECT state, n FROM delivery_counts');
  const oldest = connection.get<{ created_at: number }>(
    `SELECT created_at FROM deliveries WHERE state = 'pending' ORDER BY id LIMIT 1`,
  );
  const held = connection.get<{ n: number }>(`SELECT count(*) AS n FROM quarantine WHERE state = 'held'`);
  return {
    deliveries: withZeros(counted),
    oldestPendingAt: oldest?.created_at ?? null,
    quarantined: held?.n ?? 0,
  };
}

function withZeros(counted: readonly { state: DeliveryState; n: number }[]): Record<DeliveryState, number> {
  const counts = { pending: 0, running: 0, done: 0, dead: 0 };
  for (const { state, n } of counted) counts[state] = n;
  return counts;
}

function toEvent(connection: Connection, row: EventRow): StoredEvent {
  return {
    id: row.id,
    receivedAt: row.received_at,
    type: row.type,
    rawType: row.raw_type,
    timestamp: row.occurred_at,
    lead: row.lead,
    campaignId: row.campaign_id,
    principal: row.principal,
    source: row.source,
    bytes: row.bytes,
    deliveries: withZeros(
      connection.all('SELECT state, count(*) AS n FROM deliveries WHERE event_seq = ? GROUP BY state', row.seq),
    ),
  };
}

function toDelivery(row: DeliveryRow): StoredDelivery {
  return {
    eventId: row.event_id,
    type: row.type,
    handler: row.handler,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.next_at,
    lastError: row.last_error,
    updatedAt: row.updated_at,
  };
}
