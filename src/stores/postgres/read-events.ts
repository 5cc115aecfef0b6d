import type { DeadFilter, DeliveryState, EventFilter, StoredDelivery, StoredEvent } from '../../inbox/store.ts';
import {
  DELIVERY_COLUMNS,
  type DeliveryRow,
  EVENT_COLUMNS,
  type EventRow,
  IS_ORPHANED,
  toDelivery,
  toStoredEvent,
} from '../event-row.ts';
import { hasId, matchEvents, UNNAMED } from './match-events.ts';
import { readOrphans } from './read-counts.ts';
import { isUuid, toText } from './text.ts';
import type { Runner, Statement, Value } from './transaction.ts';

type CountedRow = EventRow & Readonly<Record<DeliveryState, number>>;

/** The deliveries of each of the events `e`, by state. */
const COUNTED = `CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.state = 'pending') AS pending, count(*) FILTER (WHERE d.state = 'running') AS running,
      count(*) FILTER (WHERE d.state = 'done') AS done, count(*) FILTER (WHERE d.state = 'dead') AS dead,
      count(*) FILTER (WHERE d.state = 'discarded') AS discarded
      FROM deliveries d WHERE d.event_seq = e.seq) AS counted`;
const COUNTS = 'counted.pending, counted.running, counted.done, counted.dead, counted.discarded';

const FIND: Statement = {
  name: 'find-event',
  text: `SELECT ${EVENT_COLUMNS}, e.body, ${COUNTS} FROM events e ${COUNTED} WHERE ${hasId('ARRAY[$1::uuid]')}
    ORDER BY e.id = $1::uuid DESC LIMIT 1`,
};

const RUNS: Statement = {
  name: 'runs-of-event',
  text: `SELECT ${DELIVERY_COLUMNS} FROM deliveries d JOIN events e ON e.seq = d.event_seq WHERE d.event_seq = $1 ORDER BY d.id`,
};

export async function listEvents(runner: Runner, filter: EventFilter): Promise<StoredEvent[]> {
  const { where, values } = matchEvents(filter);
  const text = `SELECT ${EVENT_COLUMNS}, ${COUNTS} FROM (
      SELECT ${EVENT_COLUMNS} FROM events e WHERE ${where} ORDER BY e.seq DESC LIMIT $${values.length + 1}::bigint) AS e ${COUNTED}
    ORDER BY e.seq DESC`;
  const rows = await runner.all<CountedRow>({ name: UNNAMED, text }, ...values, filter.limit);
  return rows.map(toEvent);
}

export async function findEvent(
  runner: Runner,
  id: string,
): Promise<(StoredEvent & { readonly body: Uint8Array; readonly runs: StoredDelivery[] }) | undefined> {
  if (!isUuid(id)) return undefined;
  const [row] = await runner.all<CountedRow & { readonly body: Buffer }>(FIND, id);
  if (row === undefined) return undefined;
  const runs = await runner.all<DeliveryRow>(RUNS, row.seq);
  return { ...toEvent(row), body: row.body, runs: runs.map(toDelivery) };
}

export async function listDead(runner: Runner, filter: DeadFilter): Promise<StoredDelivery[]> {
  const { handler, eventIds, limit, orphaned } = filter;
  const values: Value[] = [limit, handler === undefined ? null : toText(handler)];
  if (eventIds !== undefined) values.push(eventIds.filter(isUuid));
  const select = (
    state: string,
  ): string => `(SELECT d.id, ${DELIVERY_COLUMNS} FROM deliveries d JOIN events e ON e.seq = d.event_seq
    WHERE ${state} AND ($2::text IS NULL OR d.handler = $2) ${eventIds === undefined ? '' : `AND ${hasId('$3')}`}
    ORDER BY d.id DESC LIMIT $1::bigint)`;
  const { handlers } = orphaned === false ? { handlers: [] } : await readOrphans(runner);
  const among = orphaned === undefined ? '' : orphaned ? `AND ${IS_ORPHANED}` : `AND NOT ${IS_ORPHANED}`;
  const dead = select(`d.state = 'dead' ${among}`);
  const text = handlers.every(({ pending }) => pending === 0)
    ? dead
    : `SELECT * FROM (${dead} UNION ALL ${select(`d.state || '' = 'pending' AND ${IS_ORPHANED}`)}) AS ended ORDER BY id DESC LIMIT $1::bigint`;
  return (await runner.all<DeliveryRow>({ name: UNNAMED, text }, ...values)).map(toDelivery);
}

function toEvent(row: CountedRow): StoredEvent {
  const { pending, running, done, dead, discarded } = row;
  return toStoredEvent(row, { pending, running, done, dead, discarded });
}
