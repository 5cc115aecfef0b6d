import type { DeliveryState, PruneRequest, PruneResult } from '../../inbox/store.ts';
import { mayHaveMore } from '../due-entries.ts';
import { KEEPS_EVENT } from '../event-row.ts';
import { Tally } from '../tally.ts';
import type { AuditLane } from './audit-lane.ts';
import type { OpenChain } from './open-chain.ts';
import { dueEntries, removeEntries } from './prune-audit.ts';
import type { Runner, Statement } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/** As a value, so that the server looks at each event's own deliveries, however many unfinished ones there are elsewhere. */
const IS_FINISHED = `(SELECT d.id FROM deliveries d WHERE d.event_seq = e.seq AND ${KEEPS_EVENT} LIMIT 1) IS NULL`;

/** By receipt, whether they can go or not: what stays is passed over by the cursor, not looked at again in each step. */
const DUE: Statement = {
  name: 'due-events',
  text: `SELECT e.seq, e.received_at, ${IS_FINISHED} AS finished FROM events e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2::bigint`,
};

/** What a replay has locked is about to be unfinished; what another pruning has, is gone. */
const LOCK_EVENTS: Statement = {
  name: 'lock-due-events',
  text: 'SELECT e.seq FROM events e WHERE e.seq = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED',
};

/**
 * The keys of those that are still finished now that nobody can replay them. A key that is locked is about to answer a
 * duplicate with this event, or to go to another: the event stays until the next round.
 */
const REMOVE_KEYS: Statement = {
  name: 'remove-dedup-keys',
  text: `WITH own AS MATERIALIZED (
      SELECT k.occurred_at, k.key FROM events e
        JOIN dedup_keys k ON k.occurred_at = coalesce(e.occurred_at, 0) AND k.key = e.dedup_key AND k.event_id = e.id
        WHERE e.seq = ANY ($1::bigint[]) AND ${IS_FINISHED}
        FOR UPDATE OF k SKIP LOCKED)
    DELETE FROM dedup_keys k USING own WHERE k.occurred_at = own.occurred_at AND k.key = own.key`,
};

const REMOVE_EVENTS: Statement = {
  name: 'remove-events',
  text: `DELETE FROM events e WHERE e.seq = ANY ($1::bigint[]) AND ${IS_FINISHED}
      AND NOT EXISTS (SELECT 1 FROM dedup_keys k
        WHERE k.occurred_at = coalesce(e.occurred_at, 0) AND k.key = e.dedup_key AND k.event_id = e.id)
    RETURNING e.seq, e.id`,
};

/** Returns how many deliveries went, by state. */
const REMOVE_DELIVERIES: Statement = {
  name: 'remove-deliveries',
  text: `WITH gone AS (DELETE FROM deliveries d WHERE d.event_seq = ANY ($1::bigint[]) RETURNING d.state)
    SELECT state, count(*) AS n FROM gone GROUP BY state`,
};

const REMOVE_ALIASES: Statement = {
  name: 'remove-aliases',
  text: 'DELETE FROM event_aliases a WHERE a.event_id = ANY ($1::uuid[])',
};

/** One that comes again at this moment keeps its bytes. */
const REMOVE_QUARANTINED: Statement = {
  name: 'remove-quarantined',
  text: `WITH removed AS (DELETE FROM quarantine WHERE seq = ANY (ARRAY(
      SELECT q.seq FROM quarantine q WHERE q.last_received_at < $1 LIMIT $2::bigint FOR UPDATE SKIP LOCKED)) RETURNING id)
    DELETE FROM event_aliases a USING removed WHERE a.event_id = removed.id`,
};

interface DueEvent {
  readonly seq: number;
  readonly received_at: number;
  readonly finished: boolean;
}

/**
 * One short step inside a transaction. What somebody else is at work on is left for the next round, so that no commit
 * waits for more than what is removed here. Locks are taken in the order of a commit's: the turn to start chains, keys,
 * counts, chains.
 */
export async function prune(
  runner: Runner,
  audit: { readonly chain: OpenChain; readonly lane: AuditLane },
  request: PruneRequest,
): Promise<PruneResult> {
  const entries = await dueEntries(runner, request);
  const after = request.cursor?.eventsAfter ?? 0;
  const looked = await runner.all<DueEvent>(DUE, after, request.limit);
  const due = looked.filter(({ received_at: receivedAt }) => receivedAt < request.eventsBefore);
  const finished = due.filter((event) => event.finished).map(({ seq }) => seq);
  const events = finished.length === 0 ? 0 : await removeEvents(runner, finished);
  await runner.all(REMOVE_QUARANTINED, request.eventsBefore, request.limit);
  const audits = await removeEntries(runner, audit, request, entries);
  const more = due.length === request.limit || mayHaveMore(entries, audits, request);
  return { events, audits, more, cursor: { eventsAfter: due.at(-1)?.seq ?? after } };
}

async function removeEvents(runner: Runner, finished: readonly number[]): Promise<number> {
  const locked = (await runner.all<{ seq: number }>(LOCK_EVENTS, finished)).map(({ seq }) => seq);
  await runner.all(REMOVE_KEYS, locked);
  const removed = await runner.all<{ seq: number; id: string }>(REMOVE_EVENTS, locked);
  if (removed.length === 0) return 0;
  const gone = await runner.all<{ state: DeliveryState; n: number }>(
    REMOVE_DELIVERIES,
    removed.map(({ seq }) => seq),
  );
  await runner.all(
    REMOVE_ALIASES,
    removed.map(({ id }) => id),
  );
  const tally = new Tally();
  for (const { state, n } of gone) tally.add(state, -n);
  await writeTally(runner, tally);
  return removed.length;
}
