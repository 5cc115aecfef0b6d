import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { DeliveryState, PruneResult } from '../../src/inbox/store.ts';
import { acceptEvents } from '../../src/stores/postgres/accept-events.ts';
import type { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { prune } from '../../src/stores/postgres/prune.ts';
import { replayDeliveries } from '../../src/stores/postgres/replay-deliveries.ts';
import type { Runner } from '../../src/stores/postgres/transaction.ts';
import { holdTransaction, Writer } from './hold-transaction.ts';
import { makeAccept, makeBatch, makeDraft, makeOutcome, makeQuarantine } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';

const DAY = 86_400_000;
const ROUTES = [{ handler: 'crm', ordered: false }];

const rig = usePostgres();
let store: PostgresStore;
beforeEach(async () => {
  store = await rig.open();
  await store.registerHandlers([{ handler: 'crm', ordered: false, events: ['email_sent'] }]);
});

const replayRequest = (limit = 100) => ({
  filter: { limit },
  only: 'finished' as const,
  now: Date.now(),
  audit: makeDraft('event.replay'),
});
const pruneRequest = (audits = false) => ({
  now: Date.now(),
  eventsBefore: Date.now() - 30 * DAY,
  auditBefore: audits ? Date.now() + DAY : 0,
  limit: 100,
});

/** Old events, each with one delivery that is done. */
async function oldEvents(amount: number): Promise<string[]> {
  const accepts = Array.from({ length: amount }, (_, index) =>
    makeAccept({
      content: `old ${index}`,
      receivedAt: Date.now() - 31 * DAY,
      dedupUntil: Date.now() + DAY,
      routes: ROUTES,
    }),
  );
  const { accepted } = await store.commit(makeBatch({ accepts }));
  const claim = { now: Date.now(), lease: 'l', leaseUntil: Date.now() + 60_000 };
  const { deliveries } = await store.claim({ ...claim, places: [{ handler: 'crm', limit: amount }] });
  await store.commit(makeBatch({ outcomes: deliveries.map((delivery) => makeOutcome(delivery, { state: 'done' })) }));
  return accepted.map(({ id }) => id);
}

/** What the deliveries say, and the sums kept of them. */
async function counted(): Promise<[object, object]> {
  const rows = await rig.database.query<{ state: DeliveryState; n: number }>(
    'SELECT state, count(*)::int AS n FROM deliveries GROUP BY state',
  );
  const none = { pending: 0, running: 0, done: 0, dead: 0, discarded: 0 };
  return [
    { ...none, ...Object.fromEntries(rows.map(({ state, n }) => [state, n])) },
    (await store.counts()).deliveries,
  ];
}

/** For a lock that is held by another transaction. */
async function untilSomebodyWaits(): Promise<void> {
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  const until = performance.now() + 10_000;
  while ((await rig.database.query(waiting)).length === 0) {
    if (performance.now() > until) throw new Error('nobody waits for a lock');
  }
}

const asPruner =
  (audits = false) =>
  async (runner: Runner): Promise<PruneResult> => {
    const { lane } = new Writer();
    const chain = await lane.open(runner, Date.now());
    const result = await prune(runner, { chain, lane }, pruneRequest(audits));
    for (const { statement, values } of chain.close().statements) await runner.all(statement, ...values);
    return result;
  };

const asReplayer = async (runner: Runner) => {
  const chain = await new Writer().lane.open(runner, Date.now());
  return replayDeliveries(runner, chain, replayRequest());
};

describe('pruning of events', () => {
  test('leaves what is being replayed', async () => {
    await oldEvents(3);
    const replay = await holdTransaction(rig.database.url, asReplayer);
    expect(replay.result).toEqual({ events: 3, deliveries: 3, orphaned: 0 });
    expect(await store.prune(pruneRequest())).toMatchObject({ events: 0, more: false });
    await replay.commit();
    expect(await store.prune(pruneRequest())).toMatchObject({ events: 0 });
    expect(await counted()).toEqual(Array(2).fill({ pending: 3, running: 0, done: 0, dead: 0, discarded: 0 }));
    const claim = { now: Date.now(), lease: 'm', leaseUntil: Date.now() + 60_000 };
    expect((await store.claim({ ...claim, places: [{ handler: 'crm', limit: 9 }] })).deliveries).toHaveLength(3);
  });

  test('comes before a replay that waits for it: nothing is made pending that has no event', async () => {
    await oldEvents(3);
    await store.registerHandlers([{ handler: 'new', ordered: false, events: ['*'] }]);
    const pruned = await holdTransaction(rig.database.url, asPruner());
    expect(pruned.result).toMatchObject({ events: 3 });
    const replayed = store.replay(replayRequest());
    await untilSomebodyWaits();
    await pruned.commit();
    expect(await replayed).toEqual({ events: 0, deliveries: 0, orphaned: 0 });
    expect(await counted()).toEqual(Array(2).fill({ pending: 0, running: 0, done: 0, dead: 0, discarded: 0 }));
  });

  test('leaves an event that a duplicate is about to be answered with', async () => {
    const [id] = await oldEvents(1);
    const again = makeAccept({ content: 'old 0' });
    const accepting = await holdTransaction(rig.database.url, (runner) => acceptEvents(runner, [again], Date.now()));
    expect(accepting.result.results).toEqual([{ status: 'duplicate', id }]);
    expect(await store.prune(pruneRequest())).toMatchObject({ events: 0 });
    await accepting.commit();
    expect(await store.findEvent(id ?? '')).toMatchObject({ id });
    expect(await store.prune(pruneRequest())).toMatchObject({ events: 1 });
    expect((await store.commit(makeBatch({ accepts: [again] }))).accepted).toMatchObject([{ status: 'accepted' }]);
  });

  test('takes the other ids of an event with it, and leaves a key that has passed to another', async () => {
    const [first, second] = await oldEvents(2);
    await rig.database.query('INSERT INTO event_aliases (id, event_id) VALUES ($1, $2)', [uuidv7(), first]);
    await rig.database.query('UPDATE dedup_keys SET valid_until = 1 WHERE event_id = $1', [second]);
    const { accepted } = await store.commit(makeBatch({ accepts: [makeAccept({ content: 'old 1' })] }));
    expect(await store.prune(pruneRequest())).toMatchObject({ events: 2 });
    const keys = await rig.database.query('SELECT event_id FROM dedup_keys');
    expect(keys).toEqual([{ event_id: accepted[0]?.id }]);
    expect(await rig.database.query('SELECT id FROM event_aliases')).toEqual([]);
  });

  test('of several processes at once removes each once', async () => {
    await oldEvents(60);
    const stores = await Promise.all([rig.open(), rig.open(), rig.open()]);
    const steps = await Promise.all(stores.map((one) => one.prune({ ...pruneRequest(), limit: 60 })));
    const [left] = await Promise.all([store.prune(pruneRequest())]);
    expect(steps.reduce((sum, { events }) => sum + events, left.events)).toBe(60);
    expect(await counted()).toEqual(Array(2).fill({ pending: 0, running: 0, done: 0, dead: 0, discarded: 0 }));
  });

  test('removes quarantined bodies that did not come again', async () => {
    await store.commit(makeBatch({ quarantines: [makeQuarantine('{old'), makeQuarantine('{again')] }));
    await rig.database.query('UPDATE quarantine SET received_at = 1, last_received_at = 1');
    await store.commit(makeBatch({ quarantines: [makeQuarantine('{again')] }));
    await store.prune(pruneRequest());
    expect(await store.listQuarantine({ limit: 5 })).toMatchObject([{ times: 2, bytes: 6 }]);
  });
});

test('two replays at once make each delivery pending once', async () => {
  await oldEvents(40);
  const stores = await Promise.all([rig.open(), rig.open(), rig.open()]);
  const results = await Promise.all(stores.map((one) => one.replay(replayRequest())));
  expect(results.reduce((sum, { deliveries }) => sum + deliveries, 0)).toBe(40);
  expect(await counted()).toEqual(Array(2).fill({ pending: 40, running: 0, done: 0, dead: 0, discarded: 0 }));
});

describe('pruning of the audit log', () => {
  test('as the first act of a process leaves a log that holds, again and again', async () => {
    await store.commit(makeBatch({ audits: [makeDraft(), makeDraft()] }));
    await store.close();
    for (let n = 0; n < 4; n += 1) {
      const process = await rig.open();
      expect((await process.prune(pruneRequest(true))).audits).toBeGreaterThan(0);
      await process.close();
      await rig.soundAudit();
    }
    // Its own start, the prune entry, and the row of whoever it names.
    expect(await rig.database.query('SELECT 1 FROM audit_chains')).toHaveLength(2);
  });

  test('keeps the place of a chain that is being written to', async () => {
    const writer = new Writer();
    await (await holdTransaction(rig.database.url, (runner) => writer.write(runner, 'old.act'))).commit();
    await store.commit(makeBatch({ audits: [makeDraft()] }));
    const writing = await holdTransaction(rig.database.url, (runner) => writer.write(runner, 'new.act'));
    expect((await store.prune(pruneRequest(true))).audits).toBe(4);
    await writing.commit();
    expect((await rig.soundAudit()).map(({ action }) => action).sort()).toEqual(['audit.prune', 'new.act']);
    expect((await store.prune(pruneRequest(true))).audits).toBe(2);
    await store.prune(pruneRequest(true));
    expect((await rig.soundAudit()).map(({ action }) => action)).toEqual(['audit.prune']);
  });

  test('carries forward where a chain was cut for as long as it goes on', async () => {
    const writer = new Writer();
    await (await holdTransaction(rig.database.url, (runner) => writer.write(runner, 'old.act'))).commit();
    await store.commit(makeBatch({ audits: [makeDraft()] }));
    expect((await store.prune({ ...pruneRequest(true), limit: 2 })).audits).toBe(2);
    const young = await holdTransaction(rig.database.url, (runner) =>
      writer.write(runner, 'young.act', Date.now() + 2 * DAY),
    );
    await young.commit();
    expect((await store.prune(pruneRequest(true))).audits).toBe(3);
    expect((await rig.soundAudit()).map(({ action }) => action).sort()).toEqual(['audit.prune', 'young.act']);
  });

  test('waits for a chain that is starting, whose first entry names what would be forgotten', async () => {
    await store.commit(makeBatch({ audits: [makeDraft()] }));
    const starting = await holdTransaction(rig.database.url, (runner) => new Writer().write(runner, 'new.act'));
    const pruned = store.prune(pruneRequest(true));
    await untilSomebodyWaits();
    await starting.commit();
    expect((await pruned).audits).toBeGreaterThan(0);
    await rig.soundAudit();
    await store.prune(pruneRequest(true));
    await store.commit(makeBatch({ audits: [makeDraft()] }));
    await rig.soundAudit();
  });

  test('lets a process whose whole chain is gone go on under another name', async () => {
    await store.commit(makeBatch({ audits: [makeDraft('old.act')] }));
    const other = await rig.open();
    await other.prune(pruneRequest(true));
    await other.prune(pruneRequest(true));
    expect(await rig.database.query('SELECT 1 FROM audit_chains')).toHaveLength(1);
    const { accepted } = await store.commit(makeBatch({ accepts: [makeAccept()] }));
    expect(accepted).toMatchObject([{ status: 'accepted' }]);
    expect((await rig.soundAudit()).map(({ action }) => action).sort()).toEqual([
      'audit.chain.start',
      'audit.prune',
      'webhook.receive',
    ]);
  });
});
