import { newId } from '../../src/audit/new-id.ts';
import { acceptEvents } from '../../src/stores/postgres/accept-events.ts';
import { claimStep, nextDueAt } from '../../src/stores/postgres/claim-deliveries.ts';
import { connect } from '../../src/stores/postgres/connect.ts';
import { endAttempts } from '../../src/stores/postgres/end-attempts.ts';
import { type Runner, runOn, type Statement, type Value } from '../../src/stores/postgres/transaction.ts';
import { type Plan, shapeOf } from './grown-store.ts';
import { HANDLERS } from './history.ts';
import { makeAccept } from './make-parts.ts';

const STATEMENT_LIMIT_MS = 60_000;
/** As many as a batch holds: what is best for one may not be for a hundred. */
const EVENTS = 100;
/** The first release that can show the plan that serves whatever the values. */
const GENERIC_SINCE = 160_000;

type Client = Awaited<ReturnType<typeof connect>>;

/** Accepts, claims and finishes a batch of events in a transaction that is rolled back, and gives the plan of every statement that
 * took: the one for these values, and where it is another, the one for all. */
export async function explainPostgres(url: string): Promise<readonly Plan[]> {
  const client = await connect({ url, statementMs: STATEMENT_LIMIT_MS });
  try {
    await client.query('BEGIN');
    const plans: Plan[] = [];
    const runner = await recordPlans(client, plans);
    const now = Date.now();
    const accepts = Array.from({ length: EVENTS }, makeAccept);
    await acceptEvents(runner, accepts, now);
    // The same again, for which it has to find the first.
    await acceptEvents(
      runner,
      accepts.map((accept) => ({ ...accept, event: { ...accept.event, id: newId() } })),
      now,
    );
    const places = HANDLERS.map((handler) => ({ handler, limit: EVENTS / 2 }));
    await nextDueAt(runner, { places });
    const request = { now, places, lease: newId(), leaseUntil: now + 60_000 };
    const { deliveries } = await claimStep(runner, request);
    if (deliveries.length === 0) throw new Error('nothing was claimed, so there is nothing to explain');
    const done = { state: 'done', at: now, nextAt: null, holdUntil: null, error: null, counts: true } as const;
    await endAttempts(
      runner,
      deliveries.map(({ deliveryId: id, lease }) => ({ ...done, id, lease })),
      now,
    );
    await client.query('ROLLBACK');
    return plans;
  } finally {
    await client.end();
  }
}

async function recordPlans(client: Client, plans: Plan[]): Promise<Runner> {
  const runner = runOn(client);
  const [version] = (await client.query('SHOW server_version_num')).rows;
  const knowsGeneric = Number(version?.server_version_num) >= GENERIC_SINCE;
  const seen = new Set<string>();
  return {
    async all<Row>(statement: Statement, ...values: Value[]): Promise<Row[]> {
      if (!seen.has(statement.name)) {
        seen.add(statement.name);
        const lines = await readPlan(client, `EXPLAIN (COSTS OFF) ${statement.text}`, values);
        const all = knowsGeneric ? await readPlan(client, `EXPLAIN (GENERIC_PLAN, COSTS OFF) ${statement.text}`) : [];
        plans.push({ statement: statement.name, lines });
        if (knowsGeneric && shapeOf(all) !== shapeOf(lines))
          plans.push({ statement: `${statement.name}, whatever the values`, lines: all });
      }
      return runner.all<Row>(statement, ...values);
    },
  };
}

/** Without values it must not be sent as a statement with parameters. */
async function readPlan(client: Client, text: string, values?: readonly Value[]): Promise<string[]> {
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(
    values === undefined ? { text } : { text, values: [...values] },
  );
  return rows.map((row) => row['QUERY PLAN'].replaceAll(/'[^']{60,}'/g, "'…'"));
}
