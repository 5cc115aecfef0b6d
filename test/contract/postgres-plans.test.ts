import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { packKeys } from '../../src/stores/dedup-keys.ts';
import { connect } from '../../src/stores/postgres/connect.ts';
import { findByKeys } from '../../src/stores/postgres/find-by-keys.ts';
import { migrate } from '../../src/stores/postgres/migrate.ts';
import { prune } from '../../src/stores/postgres/prune.ts';
import { tailAudit } from '../../src/stores/postgres/read-audit.ts';
import { readCounts, readOrphans } from '../../src/stores/postgres/read-counts.ts';
import { findEvent, listDead, listEvents } from '../../src/stores/postgres/read-events.ts';
import { registerHandlers } from '../../src/stores/postgres/register-handlers.ts';
import { replayDeliveries } from '../../src/stores/postgres/replay-deliveries.ts';
import { type Runner, runOn, type Statement, type Value } from '../../src/stores/postgres/transaction.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { Writer } from './hold-transaction.ts';
import { makeDraft } from './make-parts.ts';

const EVENTS = 30_000;
/** Tables that grow without a bound: to read one whole takes minutes one day. */
const LARGE = ['events', 'deliveries', 'audit_entries', 'dedup_keys'];
/** Rows of these that a list of fifty may look at: itself, its deliveries, and what is not done. */
const LOOKED_AT = 3_000;

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

let database: TestDatabase;
let client: pg.Client;
let id: string;

/** What is dead is old, and what is pending is at both ends: as far as can be from where a list begins. */
beforeAll(async () => {
  database = await createTestDatabase();
  client = await connect({ url: database.url, statementMs: 30_000 });
  await migrate(client);
  await client.query(`INSERT INTO events (id, received_at, type, occurred_at, lead, principal, source, dedup_key, bytes, body)
    SELECT gen_random_uuid(), 1000 * n, 'reply_received', 1000 * n, 'lead' || n % 5000 || '@one.example', 'p', 'webhook',
      decode(md5(n::text) || md5(n::text), 'hex'), 10, decode(repeat(md5(n::text), 10), 'hex') FROM generate_series(1, ${EVENTS}) AS n`);
  await client.query(`INSERT INTO deliveries (event_seq, handler, state, next_at, order_key, created_at, updated_at)
    SELECT seq, handler, CASE WHEN seq % 400 = 0 AND seq < ${EVENTS / 2} THEN 'dead' WHEN seq < 100 OR seq > ${EVENTS - 100} THEN 'pending'
        WHEN seq % 2000 = 1 THEN 'running' ELSE 'done' END, 1, hashtextextended(lead, 0), received_at, received_at
      FROM events, unnest(ARRAY['crm', 'log']) AS handler`);
  await client.query(`INSERT INTO dedup_keys (occurred_at, key, event_id, seen_at, valid_until)
    SELECT occurred_at, dedup_key, id, received_at, received_at FROM events`);
  await client.query(
    `INSERT INTO audit_chains (writer, seq, hash) SELECT 'writer ' || n, ${EVENTS / 100}, '' FROM generate_series(1, 100) AS n`,
  );
  await client.query(`INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
    SELECT chain, n, 'id', '2026-01-01T00:00:00.000Z', 'test.act', 'service', 'test', 'success', '{}', '', ''
      FROM generate_series(1, ${EVENTS / 100}) AS n, audit_chains ORDER BY n, chain`);
  await client.query(
    `INSERT INTO handlers (name, events, ordered) VALUES ('crm', '{email_sent}', true), ('log', '{email_sent}', true)`,
  );
  await client.query('ANALYZE');
  [{ id }] = (await client.query<{ id: string }>('SELECT id FROM events LIMIT 1')).rows as [{ id: string }];
}, 120_000);

afterAll(async () => {
  await client.end();
  await database.drop();
});

beforeEach(() => client.query('BEGIN'));
afterEach(() => client.query('ROLLBACK'));

/** Runs statements and keeps what the server did for each, which it does twice. */
function explaining(plans: Plan[]): Runner {
  return {
    async all<Row>(statement: Statement, ...values: Value[]): Promise<Row[]> {
      await client.query('SAVEPOINT explained');
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON) ${statement.text}`,
        values,
      );
      await client.query('ROLLBACK TO explained');
      for (const row of rows) plans.push(row['QUERY PLAN'][0].Plan);
      return runOn(client).all<Row>(statement, ...values);
    },
  };
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** Rows of large tables that were looked at, none of them whole. */
function lookedAt(plans: readonly Plan[]): number {
  expect(plans).not.toHaveLength(0);
  const nodes = plans.flatMap(nodesOf).filter((node) => LARGE.includes(node['Relation Name'] ?? ''));
  expect(nodes.filter((node) => node['Node Type'].includes('Seq Scan'))).toEqual([]);
  return nodes
    .map((node) => node['Actual Loops'] * (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)))
    .reduce((sum, rows) => sum + rows, 0);
}

const LISTS: [string, number, (runner: Runner) => Promise<unknown[]>][] = [
  ['the newest events', 50, (runner) => listEvents(runner, { limit: 50 })],
  ['events of a lead', 6, (runner) => listEvents(runner, { limit: 50, lead: 'lead77@one.example' })],
  ['events of nobody', 0, (runner) => listEvents(runner, { limit: 50, lead: 'nobody@one.example' })],
  ['pending events', 50, (runner) => listEvents(runner, { limit: 50, state: 'pending' })],
  ['running events', 14, (runner) => listEvents(runner, { limit: 50, state: 'running' })],
  ['dead events', 37, (runner) => listEvents(runner, { limit: 50, state: 'dead' })],
  ['done events', 50, (runner) => listEvents(runner, { limit: 50, state: 'done' })],
  [
    'dead events of a lead',
    0,
    (runner) => listEvents(runner, { limit: 50, state: 'dead', lead: 'lead77@one.example' }),
  ],
  ['events by id', 1, (runner) => listEvents(runner, { limit: 50, ids: [id] })],
  ['an event', 1, async (runner) => [await findEvent(runner, id)]],
  ['dead deliveries', 50, (runner) => listDead(runner, { limit: 50 })],
  ['dead deliveries of a handler', 37, (runner) => listDead(runner, { limit: 50, handler: 'crm' })],
  ['dead deliveries of an event', 0, (runner) => listDead(runner, { limit: 50, eventIds: [id] })],
  ['counts', 1, async (runner) => [await readCounts(runner)]],
  ['orphans', 0, async (runner) => [...(await readOrphans(runner)).handlers]],
  ['the newest audit entries', 50, async (runner) => (await tailAudit(runner, 50)).entries],
  ['the oldest audit entries', 50, async (runner) => (await tailAudit(runner, 50, 'start')).entries],
];

describe('looks at little of a large table for', () => {
  test.each(LISTS)('%s', async (_name, amount, list) => {
    const plans: Plan[] = [];
    expect(await list(explaining(plans))).toHaveLength(amount);
    expect(lookedAt(plans)).toBeLessThan(LOOKED_AT);
  });

  test('what came after a place in the audit log', async () => {
    const { cursor } = await tailAudit(runOn(client), 1);
    const back = new Map(cursor as ReadonlyMap<number, number>).set(7, EVENTS / 100 - 5);
    const plans: Plan[] = [];
    expect((await tailAudit(explaining(plans), 50, back)).entries).toHaveLength(5);
    expect((await tailAudit(explaining(plans), 50, cursor)).entries).toHaveLength(0);
    expect(lookedAt(plans)).toBeLessThan(LOOKED_AT);
  });

  test('a thousand keys, every other one held', async () => {
    const { rows } = await client.query<{ timestamp: number; dedupKey: Buffer; id: string }>(
      `SELECT occurred_at AS timestamp, key AS "dedupKey", event_id AS id FROM dedup_keys ORDER BY random() LIMIT 1000`,
    );
    const keys = rows.map(({ timestamp, dedupKey }, n) => ({ timestamp: timestamp + (n % 2), dedupKey }));
    const plans: Plan[] = [];
    const found = await findByKeys(explaining(plans), packKeys(keys), 0);
    const expected = rows.flatMap(({ id }, n) => (n % 2 === 0 ? [{ n, id }] : []));
    expect([...found].sort((one, other) => one.n - other.n)).toEqual(expected);
    expect(lookedAt(plans)).toBeLessThanOrEqual(keys.length);
    const looks = plans.flatMap(nodesOf).filter((node) => node['Relation Name'] === 'dedup_keys');
    expect(looks).toMatchObject([{ 'Index Cond': expect.stringMatching(/occurred_at = .* AND .*key = /) }]);
  });

  test('a replay of fifty events', async () => {
    const finished = ['crm', 'log'].map((handler) => ({ handler, ordered: true, events: ['email_sent'] }));
    await registerHandlers(runOn(client), [...finished, { handler: 'new', ordered: false, events: ['*'] }]);
    const chain = await new Writer().lane.open(runOn(client), Date.now());
    const request = { filter: { limit: 50 }, only: 'finished', now: Date.now(), audit: makeDraft() } as const;
    const plans: Plan[] = [];
    // The newest 99 are pending.
    expect(await replayDeliveries(explaining(plans), chain, request)).toEqual({
      events: 50,
      deliveries: 50,
      orphaned: 0,
    });
    expect(lookedAt(plans)).toBeLessThan(LOOKED_AT);
  });

  test('a step of pruning', async () => {
    const { lane } = new Writer();
    const chain = await lane.open(runOn(client), Date.now());
    const request = { now: Date.now(), eventsBefore: Date.now(), auditBefore: Date.now(), limit: 100 };
    const plans: Plan[] = [];
    const step = await prune(explaining(plans), { chain, lane }, { ...request, cursor: { eventsAfter: 120 } });
    expect(step).toEqual({ events: 100, audits: 0, more: true, cursor: { eventsAfter: 220 } });
    expect(lookedAt(plans)).toBeLessThan(LOOKED_AT);
  });
});
