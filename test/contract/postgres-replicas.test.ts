import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { ClaimedDelivery, DeliveryOutcome, Store } from '../../src/inbox/store.ts';
import { makeAccept, makeBatch, makeOutcome } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';

const rig = usePostgres();

describe('two replicas', () => {
  test('accept the same payload at the same instant once, under one id', async () => {
    const stores = [await rig.open(), await rig.open()];
    const rounds = 300;
    const results: unknown[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const answers = await Promise.all(
        stores.map((store) => store.commit(makeBatch({ accepts: [makeAccept({ content: `race ${round}` })] }))),
      );
      const [one, other] = answers.map(({ accepted }) => accepted[0]);
      const statuses = [one?.status, other?.status].sort();
      results.push({ statuses, oneId: one?.id === other?.id });
    }
    expect(results).toEqual(Array(rounds).fill({ statuses: ['accepted', 'duplicate'], oneId: true }));
    expect(await rig.countEvents()).toBe(rounds);
  });

  test('meet in batches that hold the same payloads in opposite orders', async () => {
    const stores = [await rig.open(), await rig.open()];
    const rounds = 30;
    const each = 20;
    for (let round = 0; round < rounds; round += 1) {
      const contents = Array.from({ length: each }, (_, n) => `round ${round} event ${n}`);
      const orders = [contents, contents.toReversed()];
      const answers = await Promise.all(
        stores.map(async (store, index) => {
          const order = orders[index] ?? [];
          const accepts = order.map((content) => makeAccept({ content }));
          const { accepted } = await store.commit(makeBatch({ accepts }));
          return new Map(order.map((content, n) => [content, accepted[n]]));
        }),
      );
      for (const content of contents) {
        const [one, other] = answers.map((answer) => answer.get(content));
        expect([one?.status, other?.status].sort()).toEqual(['accepted', 'duplicate']);
        expect(one?.id).toBe(other?.id);
      }
    }
    expect(await rig.countEvents()).toBe(rounds * each);
    // One would be tried again, after a second in which both sides waited.
    const [circles] = await rig.database.query(
      'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(circles).toEqual({ n: 0 });
  });
});

describe('two workers that claim at once', () => {
  const LEADS = Array.from({ length: 6 }, (_, n) => `lead-${n}@one.example`);
  const EACH = 25;
  const ROUTES = [{ handler: 'crm', ordered: true }];
  const text = ({ body }: ClaimedDelivery): string => Buffer.from(body).toString();

  /** What is at work, and what has been done. */
  class Watch {
    readonly #running = new Set<string>();
    /** Leads of which two deliveries ran at once. */
    readonly overlaps: string[] = [];
    readonly done: Record<string, string[]> = Object.fromEntries(LEADS.map((lead) => [lead, []]));
    finished = 0;

    begin({ lead }: ClaimedDelivery): void {
      if (this.#running.has(lead ?? '')) this.overlaps.push(lead ?? '');
      this.#running.add(lead ?? '');
    }

    /** Every third fails at its first attempt. */
    end(delivery: ClaimedDelivery): DeliveryOutcome {
      const { lead, attempt } = delivery;
      this.#running.delete(lead ?? '');
      const now = Date.now();
      if (attempt === 1 && Number(text(delivery).split(' ')[1]) % 3 === 0)
        return makeOutcome(delivery, { state: 'pending', error: 'not yet', retryAt: now + 5, holdMs: 60_000 });
      this.done[lead ?? '']?.push(text(delivery));
      this.finished += 1;
      return makeOutcome(delivery, { state: 'done' });
    }
  }

  /** By turns through each store: the order is that of the commits, whichever process made them. */
  async function write(stores: readonly Store[], lead: string): Promise<void> {
    for (let n = 0; n < EACH; n += 1) {
      const accepts = [makeAccept({ content: `${lead} ${n}`, lead, routes: ROUTES })];
      await stores[n % stores.length]?.commit(makeBatch({ accepts }));
    }
  }

  async function work(store: Store, name: string, watch: Watch): Promise<void> {
    const patience = AbortSignal.timeout(20_000);
    for (let claims = 0; watch.finished < LEADS.length * EACH; claims += 1) {
      const now = Date.now();
      const places = [{ handler: 'crm', limit: 4 }];
      const lease = `${name} ${claims}`;
      const { deliveries } = await store.claim({ now, places, lease, leaseUntil: now + 60_000 });
      for (const delivery of deliveries) watch.begin(delivery);
      await pause(2, undefined, { signal: patience });
      const outcomes = deliveries.map((delivery) => watch.end(delivery));
      if (outcomes.length > 0) await store.commit(makeBatch({ outcomes }));
    }
  }

  test('run the deliveries for each lead one after the other, in the order accepted, and forget none', async () => {
    const writers = [await rig.open(), await rig.open()];
    const workers = [await rig.open({ serve: true }), await rig.open({ serve: true })];
    const watch = new Watch();
    await Promise.all([
      ...LEADS.map((lead) => write(writers, lead)),
      ...workers.map((store, index) => work(store, `worker ${index}`, watch)),
    ]);
    expect(watch.overlaps).toEqual([]);
    for (const lead of LEADS) {
      expect(watch.done[lead]).toEqual(Array.from({ length: EACH }, (_, n) => `${lead} ${n}`));
    }
    const [store] = workers;
    expect((await store?.counts())?.deliveries).toEqual({
      pending: 0,
      running: 0,
      done: LEADS.length * EACH,
      dead: 0,
      discarded: 0,
    });
  });

  test('wake what waits, also where the end of one delivery meets a look at the next', async () => {
    const worker = await rig.open();
    const other = await rig.open();
    const rounds = 100;
    const look = (store: Store, lease: string) => {
      const now = Date.now();
      return store.claim({ now, places: [{ handler: 'crm', limit: 1 }], lease, leaseUntil: now + 60_000 });
    };
    const accept = (content: string, lead: string) =>
      worker.commit(makeBatch({ accepts: [makeAccept({ content, lead, routes: ROUTES })] }));
    const finish = async (delivery: ClaimedDelivery | undefined, afterMs: number) => {
      if (delivery === undefined) throw new Error('nothing was claimed');
      await pause(afterMs);
      return worker.commit(makeBatch({ outcomes: [makeOutcome(delivery, { state: 'done' })] }));
    };
    for (let round = 0; round < rounds; round += 1) {
      const lead = `lead-${round}@one.example`;
      await accept(`first ${round}`, lead);
      const [first] = (await look(worker, `first ${round}`)).deliveries;
      await accept(`second ${round}`, lead);
      // The second is held back by the first, or it is not, but never for ever.
      const [early] = await Promise.all([look(other, `early ${round}`), finish(first, round % 5)]);
      const { deliveries } = early.deliveries.length > 0 ? early : await look(other, `late ${round}`);
      expect(deliveries.map(text)).toEqual([`second ${round}`]);
      await finish(deliveries[0], 0);
    }
  });
});
