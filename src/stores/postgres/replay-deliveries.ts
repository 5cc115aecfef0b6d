import type { ReplayRequest, ReplayResult } from '../../inbox/store.ts';
import { Tally } from '../tally.ts';
import type { OpenChain } from './audit-lane.ts';
import { matchEvents, UNNAMED } from './match-events.ts';
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
  readonly added: number;
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
  const { events, dead, done, added } = row ?? { events: 0, dead: 0, done: 0, added: 0 };
  const tally = new Tally();
  tally.move('dead', 'pending', dead);
  tally.move('done', 'pending', done);
  tally.add('pending', added);
  await writeTally(runner, tally);
  const result = { events, deliveries: dead + done + added };
  chain.append({ ...request.audit, metadata: { ...request.audit.metadata, ...result } });
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
      FROM picked WHERE d.event_seq = picked.seq AND d.state = '${state}' AND (${name} IS NULL OR d.handler = ${name}) AND ${condition}
      RETURNING d.event_seq`;
  const text = `WITH picked AS MATERIALIZED (
      SELECT e.seq, e.type FROM events e WHERE ${where} ORDER BY e.seq DESC LIMIT ${limit} FOR KEY SHARE OF e
    ), dead AS (${reset('dead', 'true')}
    ), done AS (${reset('done', all)}
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
    SELECT (SELECT count(*) FROM dead) AS dead, (SELECT count(*) FROM done) AS done, (SELECT count(*) FROM added) AS added,
      (SELECT count(*) FROM (
        SELECT event_seq FROM dead UNION SELECT event_seq FROM done UNION SELECT event_seq FROM added) AS touched) AS events`;
  return { text, values };
}
