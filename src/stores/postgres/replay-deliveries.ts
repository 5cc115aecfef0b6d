import type { DiscardRequest, DiscardResult, ReplayRequest, ReplayResult } from '../../inbox/store.ts';
import { IS_ORPHANED } from '../event-row.ts';
import { Tally } from '../tally.ts';
import { discardWaiting } from './end-attempts.ts';
import { matchEvents, UNNAMED } from './match-events.ts';
import type { OpenChain } from './open-chain.ts';
import { toText } from './text.ts';
import type { Runner, Statement, Value } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/** One at a time, so that each sees what the one before it has set to pending, and none waits in a circle. */
const TAKE_TURN: Statement = {
  name: 'lock-replays',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('instantly receiver: replay', 0))`,
};

interface ReplayedRow {
  readonly events: number;
  readonly dead: number;
  readonly done: number;
  readonly discarded: number;
  readonly added: number;
  readonly orphaned: number;
}

/**
 * Inside a transaction, for at most `request.filter.limit` events, newest first. The events are locked against being pruned
 * meanwhile; what is running or pending is not touched, so no worker waits.
 */
export async function replayDeliveries(
  runner: Runner,
  chain: OpenChain,
  request: ReplayRequest,
): Promise<ReplayResult> {
  await runner.all(TAKE_TURN);
  const { text, values } = replayStatement(request);
  const [row] = await runner.all<ReplayedRow>({ name: UNNAMED, text }, ...values);
  const none = { events: 0, dead: 0, done: 0, discarded: 0, added: 0, orphaned: 0 };
  const { events, dead, done, discarded, added, orphaned } = row ?? none;
  const tally = new Tally();
  tally.move('dead', 'pending', dead);
  tally.move('done', 'pending', done);
  tally.move('discarded', 'pending', discarded);
  tally.add('pending', added);
  await writeTally(runner, tally);
  const result = { events, deliveries: dead + done + discarded + added };
  chain.append({ ...request.audit, metadata: { ...request.audit.metadata, ...result } });
  return { ...result, orphaned };
}

/** Inside a transaction, for at most `request.filter.limit` events, newest first. */
export async function discardDeliveries(
  runner: Runner,
  chain: OpenChain,
  { filter, handler, now, audit }: DiscardRequest,
): Promise<DiscardResult> {
  await runner.all(TAKE_TURN);
  const { where, values } = matchEvents(filter);
  const place = (value: Value): string => `$${values.push(value)}`;
  const limit = `${place(filter.limit)}::bigint`;
  const name = `${place(handler === undefined ? null : toText(handler))}::text`;
  const text = `WITH picked AS MATERIALIZED (
      SELECT e.seq FROM events e WHERE ${where} ORDER BY e.seq DESC LIMIT ${limit} FOR KEY SHARE OF e)
    SELECT d.id, d.event_seq, d.state FROM picked JOIN deliveries d ON d.event_seq = picked.seq
      WHERE (${name} IS NULL OR d.handler = ${name}) AND (d.state = 'dead' OR (d.state = 'pending' AND ${IS_ORPHANED}))`;
  const rows = await runner.all<{ id: number; event_seq: number; state: 'dead' | 'pending' }>(
    { name: UNNAMED, text },
    ...values,
  );
  const ids = rows.map(({ id }) => id);
  const ended = new Set(ids.length === 0 ? [] : await discardWaiting(runner, ids, now));
  const gone = rows.filter(({ id }) => ended.has(id));
  const tally = new Tally();
  for (const { state } of gone) tally.move(state, 'discarded');
  await writeTally(runner, tally);
  const result = { events: new Set(gone.map(({ event_seq: seq }) => seq)).size, deliveries: gone.length };
  chain.append({ ...audit, metadata: { ...audit.metadata, ...result } });
  return result;
}

/** Replays have no order_key: they run at once, whatever else waits for the same lead. */
function replayStatement({ filter, only, handler, now }: ReplayRequest): { text: string; values: Value[] } {
  const { where, values } = matchEvents(filter);
  const place = (value: Value): string => `$${values.push(value)}`;
  const limit = `${place(filter.limit)}::bigint`;
  const name = `${place(handler === undefined ? null : toText(handler))}::text`;
  const at = `${place(now)}::bigint`;
  const all = `${place(only === 'finished')}::boolean`;
  const reset = (state: string, condition: string) => `
    UPDATE deliveries d SET state = 'pending', attempts = 0, next_at = ${at}, hold_until = NULL, order_key = NULL, replay = true,
        created_at = ${at}, updated_at = ${at}
      FROM picked WHERE d.event_seq = picked.seq AND d.state = '${state}' AND (${name} IS NULL OR d.handler = ${name}) AND NOT ${IS_ORPHANED} AND ${condition}
      RETURNING d.event_seq`;
  const text = `WITH picked AS MATERIALIZED (
      SELECT e.seq, e.type FROM events e WHERE ${where} ORDER BY e.seq DESC LIMIT ${limit} FOR KEY SHARE OF e
    ), dead AS (${reset('dead', 'true')}
    ), done AS (${reset('done', all)}
    ), discarded AS (${reset('discarded', all)}
    ), added AS (
      INSERT INTO deliveries (event_seq, handler, state, next_at, replay, created_at, updated_at)
        SELECT picked.seq, h.name, 'pending', ${at}, true, ${at}, ${at}
          FROM picked JOIN handlers h ON '*' = ANY (h.events) OR picked.type = ANY (h.events)
          WHERE ${all} AND (${name} IS NULL OR h.name = ${name})
            AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = picked.seq AND d.handler = h.name)
          ORDER BY picked.seq, h.name
        ON CONFLICT (event_seq, handler) DO NOTHING
        RETURNING event_seq
    )
    SELECT (SELECT count(*) FROM dead) AS dead, (SELECT count(*) FROM done) AS done,
      (SELECT count(*) FROM discarded) AS discarded, (SELECT count(*) FROM added) AS added,
      (SELECT count(*) FROM picked JOIN deliveries d ON d.event_seq = picked.seq WHERE (${name} IS NULL OR d.handler = ${name})
        AND (d.state = 'dead' OR (${all} AND d.state = 'pending')) AND ${IS_ORPHANED}) AS orphaned,
      (SELECT count(*) FROM (
        SELECT event_seq FROM dead UNION SELECT event_seq FROM done UNION SELECT event_seq FROM discarded UNION SELECT event_seq FROM added) AS touched) AS events`;
  return { text, values };
}
