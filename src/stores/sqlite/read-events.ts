import type {
  DeadFilter,
  DeliveryState,
  EventFilter,
  OrphanedHandler,
  Orphans,
  StoreCounts,
  StoredDelivery,
  StoredEvent,
} from '../../inbox/store.ts';
import {
  DELIVERY_COLUMNS,
  type DeliveryRow,
  EVENT_COLUMNS,
  type EventRow,
  IS_ORPHANED,
  MAX_COUNTED,
  STATE_LITERALS,
  toDelivery,
  toStoredEvent,
} from '../event-row.ts';
import type { Connection } from './connection.ts';

/** The index of leads is one of blocks (see the migration), and each block is looked into. */
const HAS_LEAD = `e.seq IN (
  WITH RECURSIVE blocks (block) AS (SELECT min(seq) >> 10 FROM events
    UNION ALL SELECT block + 1 FROM blocks WHERE block < (SELECT max(seq) >> 10 FROM events))
  SELECT x.seq FROM blocks CROSS JOIN events x INDEXED BY events_by_block WHERE x.seq >> 10 = block AND x.lead = ?)`;

/** Conditions over `events e` for a filter, with the values in order. */
export function matchEvents(filter: Omit<EventFilter, 'limit'>): { where: string; values: (string | number)[] } {
  const conditions: [string, string | number | undefined][] = [
    ['e.id IN (SELECT value FROM json_each(?))', filter.ids && JSON.stringify(filter.ids)],
    ['e.type = ?', filter.type],
    [HAS_LEAD, filter.lead],
    ['e.campaign_id = ?', filter.campaign],
    ['e.received_at >= ?', filter.since],
    ['e.received_at < ?', filter.until],
  ];
  const used = conditions.filter((pair): pair is [string, string | number] => pair[1] !== undefined);
  const where = used.map(([condition]) => condition);
  if (filter.state !== undefined)
    where.push(`e.seq IN (SELECT event_seq FROM deliveries WHERE state = ${STATE_LITERALS[filter.state]})`);
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
  const select = (state: string): DeliveryRow[] =>
    connection.all<DeliveryRow & { id: number }>(
      `SELECT d.id, ${DELIVERY_COLUMNS} FROM deliveries d JOIN events e ON e.seq = d.event_seq
        WHERE ${state} AND (?1 IS NULL OR d.handler = ?1) AND (?2 IS NULL OR e.id IN (SELECT value FROM json_each(?2)))
        ORDER BY d.id DESC LIMIT ?3`,
      filter.handler ?? null,
      filter.eventIds === undefined ? null : JSON.stringify(filter.eventIds),
      filter.limit,
    );
  const { orphaned } = filter;
  const hasWaiting = orphaned !== false && orphanedNames(connection, WAITING).length > 0;
  const among = orphaned === undefined ? '' : orphaned ? `AND ${IS_ORPHANED}` : `AND NOT ${IS_ORPHANED}`;
  const rows = [
    ...select(`d.state = 'dead' ${among}`),
    ...(hasWaiting ? select(`d.state = 'pending' AND ${IS_ORPHANED}`) : []),
  ] as (DeliveryRow & { id: number })[];
  return rows
    .sort((a, b) => b.id - a.id)
    .slice(0, filter.limit)
    .map(toDelivery);
}

/** Conditions of partial indexes that begin with the handler. */
const WAITING = `state = 'pending' AND next_at IS NOT NULL`;
const HELD = `order_key IS NOT NULL AND state IN ('pending', 'running') AND state = 'pending' AND next_at IS NULL`;
const DEAD = `state = 'dead'`;

/** Jumps from one handler to the next in the index, however many deliveries each has. */
function orphanedNames(connection: Connection, condition: typeof WAITING | typeof DEAD): string[] {
  const rows = connection.all<{ name: string }>(
    `WITH RECURSIVE named (name) AS (
        SELECT min(handler) FROM deliveries WHERE ${condition}
        UNION ALL SELECT (SELECT min(handler) FROM deliveries WHERE ${condition} AND handler > named.name) FROM named WHERE named.name IS NOT NULL)
      SELECT named.name FROM named WHERE named.name IS NOT NULL AND named.name NOT IN (SELECT h.name FROM handlers h)`,
  );
  return rows.map(({ name }) => name);
}

export function readOrphans(connection: Connection): Orphans {
  const count = (handler: string, condition: string): number =>
    connection.get<{ n: number }>(
      `SELECT count(*) AS n FROM (SELECT 1 FROM deliveries WHERE handler = ? AND ${condition} LIMIT ${MAX_COUNTED})`,
      handler,
    )?.n ?? 0;
  const names = new Set([...orphanedNames(connection, WAITING), ...orphanedNames(connection, DEAD)]);
  const handlers: OrphanedHandler[] = [...names].toSorted().map((handler) => ({
    handler,
    pending: count(handler, WAITING) + count(handler, HELD),
    dead: count(handler, DEAD),
  }));
  const oldest = connection.get<{ created_at: number }>(
    `SELECT d.created_at FROM (SELECT handler, created_at FROM deliveries WHERE state = 'pending' ORDER BY id LIMIT ${MAX_COUNTED}) d
      WHERE NOT ${IS_ORPHANED} LIMIT 1`,
  );
  return { handlers, oldestPendingAt: oldest?.created_at ?? null };
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
  const counts = { pending: 0, running: 0, done: 0, dead: 0, discarded: 0 };
  for (const { state, n } of counted) counts[state] = n;
  return counts;
}

function toEvent(connection: Connection, row: EventRow): StoredEvent {
  return toStoredEvent(
    row,
    withZeros(
      connection.all('SELECT state, count(*) AS n FROM deliveries WHERE event_seq = ? GROUP BY state', row.seq),
    ),
  );
}
