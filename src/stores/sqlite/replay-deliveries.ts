import type { DiscardRequest, DiscardResult, HandlerRoute, ReplayRequest, ReplayResult } from '../../inbox/store.ts';
import { IS_ORPHANED } from '../event-row.ts';
import { Tally } from '../tally.ts';
import type { AuditLane } from './audit-lane.ts';
import type { Connection } from './connection.ts';
import { rescheduleFirst } from './order-deliveries.ts';
import { matchEvents } from './read-events.ts';
import { writeTally } from './write-tally.ts';

interface Finished {
  readonly id: number;
  readonly state: 'done' | 'dead' | 'discarded';
}

export function registerHandlers(connection: Connection, handlers: readonly HandlerRoute[]): void {
  connection.transaction(() => {
    connection.run('DELETE FROM handlers');
    for (const { handler, events, ordered } of handlers) {
      connection.run(
        'INSERT INTO handlers (name, events, ordered) VALUES (?, ?, ?)',
        handler,
        JSON.stringify(events),
        ordered ? 1 : 0,
      );
    }
  });
}

export function registeredHandlers(connection: Connection): HandlerRoute[] {
  return connection
    .all<{ name: string; events: string; ordered: number }>('SELECT name, events, ordered FROM handlers ORDER BY name')
    .map(({ name, events, ordered }) => ({
      handler: name,
      events: JSON.parse(events) as string[],
      ordered: ordered === 1,
    }));
}

/** One transaction for at most `request.filter.limit` events, newest first. */
export function replayDeliveries(connection: Connection, lane: AuditLane, request: ReplayRequest): ReplayResult {
  return connection.transaction(() => {
    const tally = new Tally();
    const handlers = registeredHandlers(connection).filter(
      ({ handler }) => request.handler === undefined || request.handler === handler,
    );
    let deliveries = 0;
    let touched = 0;
    let orphaned = 0;
    for (const event of matchingEvents(connection, request)) {
      orphaned += countOrphaned(connection, event.seq, request);
      const reset = resetFinished(connection, tally, event.seq, request);
      const added = request.only === 'dead' ? 0 : addMissing(connection, tally, event, handlers, request.now);
      deliveries += reset + added;
      if (reset + added > 0) touched += 1;
    }
    const chain = lane.open(connection, request.now);
    chain.append({ ...request.audit, metadata: { ...request.audit.metadata, events: touched, deliveries } });
    chain.close();
    writeTally(connection, tally);
    return { events: touched, deliveries, orphaned };
  });
}

/** One transaction for at most `request.filter.limit` events, newest first. */
export function discardDeliveries(connection: Connection, lane: AuditLane, request: DiscardRequest): DiscardResult {
  return connection.transaction(() => {
    const tally = new Tally();
    let deliveries = 0;
    let touched = 0;
    for (const { seq } of matchingEvents(connection, request)) {
      const ended = discardOf(connection, tally, seq, request);
      deliveries += ended;
      if (ended > 0) touched += 1;
    }
    const result = { events: touched, deliveries };
    const chain = lane.open(connection, request.now);
    chain.append({ ...request.audit, metadata: { ...request.audit.metadata, ...result } });
    chain.close();
    writeTally(connection, tally);
    return result;
  });
}

function matchingEvents(connection: Connection, { filter }: Pick<ReplayRequest, 'filter'>) {
  const { where, values } = matchEvents(filter);
  return connection.all<{ seq: number; type: string }>(
    `SELECT e.seq, e.type FROM events e WHERE ${where} ORDER BY e.seq DESC LIMIT ?`,
    ...values,
    filter.limit,
  );
}

function countOrphaned(connection: Connection, seq: number, { handler, only }: ReplayRequest): number {
  const row = connection.get<{ n: number }>(
    `SELECT count(*) AS n FROM deliveries d WHERE event_seq = ?1 AND (?2 IS NULL OR handler = ?2)
      AND (state = 'dead' OR (?3 = 'finished' AND state = 'pending')) AND ${IS_ORPHANED}`,
    seq,
    handler ?? null,
    only,
  );
  return row?.n ?? 0;
}

function discardOf(connection: Connection, tally: Tally, seq: number, { handler, now }: DiscardRequest): number {
  const ended = connection.all<{ id: number; state: 'pending' | 'dead'; handler: string; order_key: string | null }>(
    `SELECT id, state, handler, order_key FROM deliveries d WHERE event_seq = ?1 AND (?2 IS NULL OR handler = ?2)
      AND (state = 'dead' OR (state = 'pending' AND ${IS_ORPHANED}))`,
    seq,
    handler ?? null,
  );
  for (const { id, state, handler: name, order_key: orderKey } of ended) {
    connection.run(`UPDATE deliveries SET state = 'discarded', next_at = NULL, updated_at = ? WHERE id = ?`, now, id);
    tally.move(state, 'discarded');
    // Its handler may come back: what was behind it waits no more.
    if (state === 'pending' && orderKey !== null) rescheduleFirst(connection, name, orderKey, now);
  }
  return ended.length;
}

/** Replays have no order_key: they run at once, whatever else waits for the same lead. */
function resetFinished(connection: Connection, tally: Tally, seq: number, request: ReplayRequest): number {
  const finished = connection.all<Finished>(
    `SELECT id, state FROM deliveries d WHERE event_seq = ?1 AND (?2 IS NULL OR handler = ?2)
      AND (state = 'dead' OR (?3 = 'finished' AND state IN ('done', 'discarded'))) AND NOT ${IS_ORPHANED}`,
    seq,
    request.handler ?? null,
    request.only,
  );
  for (const { id, state } of finished) {
    connection.run(
      `UPDATE deliveries SET state = 'pending', attempts = 0, next_at = ?1, hold_until = NULL, order_key = NULL, replay = 1,
        created_at = ?1, updated_at = ?1 WHERE id = ?2`,
      request.now,
      id,
    );
    tally.move(state, 'pending');
  }
  return finished.length;
}

function addMissing(
  connection: Connection,
  tally: Tally,
  event: { readonly seq: number; readonly type: string },
  handlers: readonly HandlerRoute[],
  now: number,
): number {
  let added = 0;
  for (const { handler, events } of handlers) {
    if (!events.includes('*') && !events.includes(event.type)) continue;
    const { changes } = connection.run(
      `INSERT INTO deliveries (event_seq, handler, state, next_at, replay, created_at, updated_at)
        VALUES (?, ?, 'pending', ?, 1, ?, ?) ON CONFLICT (event_seq, handler) DO NOTHING`,
      event.seq,
      handler,
      now,
      now,
      now,
    );
    added += changes;
  }
  tally.add('pending', added);
  return added;
}
