import type { DeliveryState, EventSource, StoredDelivery, StoredEvent } from '../inbox/store.ts';

/** Columns of `events` as every store names them. */
export interface EventRow {
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
  readonly charset: string | null;
  readonly bytes: number;
}

export interface DeliveryRow {
  readonly event_id: string;
  readonly type: string;
  readonly lead: string | null;
  readonly handler: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly next_at: number | null;
  readonly last_error: string | null;
  readonly updated_at: number;
  readonly orphaned: boolean | number;
}

/** Over `events e`. */
export const EVENT_COLUMNS =
  'e.seq, e.id, e.received_at, e.type, e.raw_type, e.occurred_at, e.lead, e.campaign_id, e.principal, e.source, e.charset, e.bytes';
/** Of deliveries `d` that are not over: no process has registered their handler any more. */
export const IS_ORPHANED = 'NOT EXISTS (SELECT 1 FROM handlers h WHERE h.name = d.handler)';
/** Over `deliveries d` and their `events e`. */
export const DELIVERY_COLUMNS = `e.id AS event_id, e.type, e.lead, d.handler, d.state, d.attempts, d.next_at, d.last_error, d.updated_at,
  d.state IN ('pending', 'dead') AND ${IS_ORPHANED} AS orphaned`;

/** Deliveries `d` that keep their event from being pruned. */
export const KEEPS_EVENT = `d.state NOT IN ('done', 'discarded') AND (d.state = 'running' OR NOT ${IS_ORPHANED})`;
/** Orphaned deliveries of one handler and state that are counted, so that no count holds up the store. */
export const MAX_COUNTED = 100_000;

/** States as literals of our own, since a partial index serves no bound value. */
export const STATE_LITERALS: Readonly<Record<DeliveryState, string>> = {
  pending: "'pending'",
  running: "'running'",
  done: "'done'",
  dead: "'dead'",
  discarded: "'discarded'",
};

export function toStoredEvent(row: EventRow, deliveries: StoredEvent['deliveries']): StoredEvent {
  return { ...factsOf(row), bytes: row.bytes, deliveries };
}

/** What an event and its row have in common. */
export function factsOf(row: EventRow) {
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
    charset: row.charset,
  };
}

export function toDelivery(row: DeliveryRow): StoredDelivery {
  return {
    eventId: row.event_id,
    type: row.type,
    lead: row.lead,
    handler: row.handler,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.next_at,
    lastError: row.last_error,
    updatedAt: row.updated_at,
    orphaned: Boolean(row.orphaned),
  };
}
