import type { DeliveryState, EventFilter } from '../../inbox/store.ts';
import { STATE_LITERALS } from '../event-row.ts';
import { isUuid, toText } from './text.ts';
import type { Value } from './transaction.ts';

/**
 * The name of statements whose text depends on a filter: there are hundreds, and each is planned for its values anyway.
 * In the protocol the empty name is that of the statement nobody keeps.
 */
export const UNNAMED = '';

export interface Match {
  /** Conditions over `events e`, with the values as $1, $2 and so on. */
  readonly where: string;
  readonly values: Value[];
}

export function matchEvents(filter: Omit<EventFilter, 'limit'>): Match {
  const values: Value[] = [];
  const where: string[] = [];
  const add = (value: Value | undefined, condition: (placeholder: string) => string): void => {
    if (value === undefined) return;
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  add(filter.ids?.filter(isUuid), hasId);
  add(textOf(filter.type), (type) => `e.type = ${type}::text`);
  add(textOf(filter.lead), hasLead);
  add(textOf(filter.campaign), (campaign) => `e.campaign_id = ${campaign}::text`);
  add(filter.since, (since) => `e.received_at >= ${since}::bigint`);
  add(filter.until, (until) => `e.received_at < ${until}::bigint`);
  if (filter.state !== undefined) where.push(hasState(filter.state));
  return { where: where.length === 0 ? 'true' : where.join(' AND '), values };
}

/** The index of leads is one of blocks and hashes (see the migration): each block is looked into, whatever the server takes the
 * cost of that for. */
function hasLead(lead: string): string {
  return `e.seq = ANY (ARRAY(
    SELECT x.seq FROM generate_series((SELECT min(seq) >> 10 FROM events), (SELECT max(seq) >> 10 FROM events)) AS block
      CROSS JOIN LATERAL (SELECT seq FROM events WHERE seq >> 10 = block
        AND hashtextextended(lead, 0) = hashtextextended(${lead}::text, 0) AND lead = ${lead}::text OFFSET 0) AS x))`;
}

/**
 * Whatever is not done is gathered first, by
 * that index, because it may lie at the far end of the table; what is done is everywhere, and looked for event by event.
 */
function hasState(state: DeliveryState): string {
  // What is pending has an index by an expression of its own (see the migration).
  const column = state === 'pending' ? "d.state || ''" : 'd.state';
  const matching = `SELECT d.event_seq FROM deliveries d WHERE ${column} = ${STATE_LITERALS[state]}`;
  return state === 'done' ? `e.seq IN (${matching})` : `e.seq = ANY (ARRAY(${matching}))`;
}

/** By id, or by one that was answered for the same content while the server was away. As arrays, for which the server plans
 * to look into the index, however many they may be. */
export function hasId(ids: string): string {
  return `e.id = ANY (ARRAY(
    SELECT unnest(${ids}::uuid[]) UNION SELECT a.event_id FROM event_aliases a WHERE a.id = ANY (${ids}::uuid[])))`;
}

function textOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : toText(text);
}
