import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Accept, ClaimedDelivery } from '../../src/inbox/store.ts';
import type { SpillingStore } from '../../src/stores/spill/spilling-store.ts';
import { makeAccept, makeBatch, makeDraft, makeOutcome, makeQuarantine } from '../contract/make-parts.ts';
import { createSpilling, openTestSpill, QUICK, type SpillingUnderTest, storedContents } from './spill-support.ts';

const ROUTES = [{ handler: 'crm', ordered: true }];

let under: SpillingUnderTest;
let store: SpillingStore;

beforeEach(async () => {
  under = await createSpilling();
  store = await under.open();
});
afterEach(async () => {
  under.primary.recover();
  await under.remove();
});

const commit = (...contents: string[]) => commitAccepts(...contents.map((content) => makeAccept({ content })));
const commitAccepts = (...accepts: Accept[]) => store.commit(makeBatch({ accepts }));
const inPrimary = () => storedContents(under.dir, 'primary');
const inSpill = () => storedContents(under.dir, 'spill');
/** Without those where only the reason has changed: on a busy machine a commit may be late before it is refused. */
const states = () => under.changes.map(({ state }) => state).filter((state, at, all) => state !== all[at - 1]);

/** Tells how often each call reached the primary store, and lets the test have its say before one takes place. */
function watch(then: (call: string, nth: number) => Promise<void> = async () => undefined): Record<string, number> {
  const calls: Record<string, number> = {};
  under.primary.before = async (call) => {
    calls[call] = (calls[call] ?? 0) + 1;
    await then(call, calls[call]);
  };
  return calls;
}

async function claimOne(): Promise<ClaimedDelivery> {
  const now = Date.now();
  const { deliveries } = await store.claim({
    now,
    places: [{ handler: 'crm', limit: 1 }],
    lease: 'l',
    leaseUntil: now + 60_000,
  });
  if (deliveries[0] === undefined) throw new Error('nothing was claimed');
  return deliveries[0];
}

describe('while the primary store commits', () => {
  test('it has everything, and the spill nothing', async () => {
    const { accepted, pending, outcomesLeft } = await commitAccepts(makeAccept({ content: 'a', routes: ROUTES }));
    expect([accepted[0]?.status, pending, outcomesLeft]).toEqual(['accepted', 1, undefined]);
    expect([inPrimary(), inSpill(), store.spilledEvents]).toEqual([['a'], [], 0]);
    expect(await store.check()).toEqual({ degraded: null });
    expect(under.changes).toEqual([]);
  });
});

describe('when the primary store cannot commit', () => {
  test('events are answered from the spill under their own ids, and it says so', async () => {
    under.primary.health = 'down';
    const [one, two] = [makeAccept({ content: 'a', routes: ROUTES }), makeAccept({ content: 'a' })];
    const { accepted, pending } = await commitAccepts(one, two);
    expect(accepted).toEqual([
      { status: 'accepted', id: one.event.id },
      { status: 'duplicate', id: one.event.id },
    ]);
    expect([pending, store.spilledEvents, inSpill(), inPrimary()]).toEqual([0, 1, ['a'], []]);
    expect(under.changes).toEqual([{ state: 'spilling', reason: 'the primary store is down' }]);
    expect(await store.check()).toEqual({ degraded: expect.stringMatching(/kept on this machine/) });
  });

  test('a look says that events would be kept here, before any is', async () => {
    under.primary.health = 'down';
    expect(await store.check()).toEqual({ degraded: expect.stringMatching(/kept on this machine/) });
    expect(under.changes).toEqual([]);
  });

  test('one that does not answer in time is not waited for', async () => {
    under.primary.health = 'hung';
    const { accepted } = await commit('a');
    expect([accepted[0]?.status, inSpill()]).toEqual(['accepted', ['a']]);
    expect(under.changes[0]?.reason).toBe('PostgreSQL did not commit within 1000 ms');
  });

  test('a commit that takes place late adds nothing to what is moved', async () => {
    under.primary.health = 'hung';
    const [first] = (await commit('a')).accepted;
    await commit('b');
    under.primary.recover();
    await under.reaches('direct');
    expect([inPrimary(), inSpill()]).toEqual([['a', 'b'], []]);
    expect((await store.findEvent(first?.id ?? ''))?.id).toBe(first?.id);
  });

  test('it is not asked to commit again until it answers', async () => {
    const calls = watch(() => Promise.reject(new Error('no')));
    for (const content of ['a', 'b', 'c']) await commit(content);
    expect([calls['commit'], inSpill()]).toEqual([1, ['a', 'b', 'c']]);
  });

  test('unreadable bodies and audit entries are kept too', async () => {
    under.primary.health = 'down';
    const quarantine = makeQuarantine('{cut');
    const { quarantined } = await store.commit(makeBatch({ quarantines: [quarantine], audits: [makeDraft('a.a')] }));
    expect(quarantined).toEqual([quarantine.id]);
    under.primary.recover();
    await under.reaches('direct');
    const [parcel] = under.primary.moved;
    expect([parcel?.bodies.length, parcel?.entries.map(({ action }) => action)]).toEqual([
      1,
      ['audit.chain.start', 'webhook.receive', 'a.a'],
    ]);
  });

  test('outcomes are left, for they belong to what is there', async () => {
    await commitAccepts(makeAccept({ content: 'a', routes: ROUTES }));
    const outcomes = [makeOutcome(await claimOne(), { state: 'done' })];
    under.primary.health = 'down';
    await expect(store.commit(makeBatch({ outcomes }))).rejects.toMatchObject({ name: 'StoreUnavailable' });
    const mixed = await store.commit(makeBatch({ outcomes, accepts: [makeAccept({ content: 'b' })] }));
    expect([mixed.outcomesLeft, inSpill()]).toEqual([true, ['b']]);
    expect((await commit('c')).outcomesLeft).toBeUndefined();
    under.primary.recover();
    await under.reaches('direct');
    expect((await store.counts()).deliveries.running).toBe(1);
    expect((await store.commit(makeBatch({ outcomes }))).outcomesLeft).toBeUndefined();
    expect((await store.counts()).deliveries).toMatchObject({ running: 0, done: 1 });
  });

  test('and the spill is full, it is said: nothing of the batch is kept', async () => {
    await store.close();
    store = await under.open({ maxBytes: 1024 * 1024 });
    under.primary.recover();
    under.primary.health = 'down';
    await commit('a');
    const large = makeBatch({
      accepts: [makeAccept({ content: 'small' }), makeAccept({ content: 'x'.repeat(950_000) })],
    });
    await expect(store.commit(large)).rejects.toMatchObject({
      name: 'StoreUnavailable',
      message: expect.stringMatching(/full/),
    });
    expect([store.spilledEvents, inSpill()]).toEqual([1, ['a']]);
    await commit('y'.repeat(700_000));
    await expect(store.check()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    under.primary.recover();
    await under.reaches('direct');
    expect(await store.check()).toEqual({ degraded: null });
    expect(inPrimary()).toHaveLength(2);
  });
});

describe('when the spill cannot commit either', () => {
  test('nothing is answered as kept, and once it can, it is', async () => {
    const other = new DatabaseSync(under.file);
    try {
      other.exec('BEGIN IMMEDIATE');
      under.primary.health = 'down';
      await expect(commit('a')).rejects.toMatchObject({ name: 'StoreUnavailable' });
      await expect(store.check()).rejects.toMatchObject({ name: 'StoreUnavailable' });
      other.exec('ROLLBACK');
      await commit('b');
    } finally {
      other.close();
    }
    under.primary.recover();
    await under.reaches('direct');
    expect(inPrimary()).toEqual(['b']);
  });
});

describe('once the primary store answers again', () => {
  const many = Array.from({ length: 1_200 }, (_, n) => `content ${n}`);
  const firstBody = Buffer.from('content 0');

  async function spillMany(): Promise<void> {
    under.primary.health = 'down';
    for (let n = 0; n < many.length; n += 300) await commit(...many.slice(n, n + 300));
  }

  test('the spill is moved there in order, and commits go there', async () => {
    await spillMany();
    const woken = new Promise<void>((resolve) => store.onForeignChange(resolve));
    expect(store.spilledEvents).toBe(many.length);
    under.primary.recover();
    await under.reaches('direct');
    await woken;
    expect([inPrimary(), inSpill(), store.spilledEvents]).toEqual([many, [], 0]);
    expect(states()).toEqual(['spilling', 'draining', 'direct']);
    expect(under.primary.moved.map(({ events }) => events.length)).toEqual([500, 500, 200]);
    await commit('last');
    expect([inPrimary().at(-1), inSpill()]).toEqual(['last', []]);
    expect(await store.check()).toEqual({ degraded: null });
  });

  test('what comes meanwhile goes behind the rest', async () => {
    await spillMany();
    const looks: unknown[] = [];
    watch(async (call, nth) => {
      if (call !== 'moveIn' || nth > 2) return;
      looks.push((await store.check()).degraded, await commit(`late ${nth}`));
    });
    under.primary.recover();
    await under.reaches('direct');
    expect(inPrimary()).toEqual([...many, 'late 1', 'late 2']);
    expect(looks).toMatchObject([
      expect.stringMatching(/kept on this machine/),
      { accepted: [{ status: 'accepted' }], pending: 0 },
      expect.stringMatching(/being moved/),
      { accepted: [{ status: 'accepted' }], pending: 0 },
    ]);
  });

  test('and goes away in between, it is waited for again', async () => {
    await spillMany();
    const calls = watch(async (call, nth) => {
      if (call === 'moveIn' && nth === 2) throw new Error('gone again');
    });
    under.primary.recover();
    await under.reaches('direct');
    expect(states()).toEqual(['spilling', 'draining', 'spilling', 'draining', 'direct']);
    expect(under.changes.map(({ reason }) => reason)).toContain('gone again');
    expect([inPrimary(), calls['check']]).toEqual([many, 2]);
  });

  test('a parcel that is not taken in time is moved again, and nothing of it is there twice', async () => {
    await store.close();
    store = await under.open({ times: { ...QUICK, moveLimitMs: 300 } });
    await spillMany();
    let takeFirst: () => void = () => undefined;
    watch(async (call, nth) => {
      if (call === 'moveIn' && nth === 1) await new Promise<void>((resolve) => (takeFirst = resolve));
      // The two take place beside each other.
      if (call === 'moveIn' && nth === 2) takeFirst();
    });
    under.primary.recover();
    await under.reaches('direct');
    expect(inPrimary()).toEqual(many);
    const firsts = under.primary.moved.filter(({ events }) =>
      Buffer.from(events[0]?.event.body ?? []).equals(firstBody),
    );
    expect(firsts.length).toBeGreaterThan(1);
  });

  test('what it does not take in large parcels is moved in smaller ones', async () => {
    await spillMany();
    const take = under.primary.store.moveIn;
    const sizes: number[] = [];
    under.primary.store.moveIn = async (parcel) => {
      sizes.push(parcel.events.length);
      if (parcel.events.length > 130) throw new Error('too much');
      return take(parcel);
    };
    under.primary.recover();
    await under.reaches('direct');
    expect(inPrimary()).toEqual(many);
    expect(sizes.slice(0, 3)).toEqual([500, 250, 125]);
  });

  test('the reason is told when it changes, not at each look', async () => {
    under.primary.health = 'down';
    await commit('a');
    let looks = 0;
    const seen = new Promise<void>((resolve) => {
      under.primary.before = async () => {
        looks += 1;
        if (looks === 5) resolve();
        throw new Error('starting up');
      };
    });
    under.primary.recover();
    await seen;
    expect(under.changes).toEqual([
      { state: 'spilling', reason: 'the primary store is down' },
      { state: 'spilling', reason: 'starting up' },
    ]);
  });
});

describe('the last parcel', () => {
  test('is waited for by new commits, which then go to the primary store', async () => {
    under.primary.health = 'down';
    await commit('a');
    let late: Promise<unknown> | undefined;
    watch(async (call) => {
      if (call === 'moveIn') late ??= commit('b');
    });
    under.primary.recover();
    await under.reaches('direct');
    await late;
    expect([inPrimary(), inSpill(), under.primary.moved.length]).toEqual([['a', 'b'], [], 1]);
  });

  test('is not waited for too long: what comes goes to the spill, and is moved after it', async () => {
    under.primary.health = 'down';
    await commit('a');
    const calls = watch(async (call, nth) => {
      if (call === 'moveIn' && nth === 1) await commit('b');
    });
    await store.close();
    under.primary.recover();
    store = await under.open({ times: { ...QUICK, moveLimitMs: 5_000, gateLimitMs: 50 } });
    await under.reaches('direct');
    expect([inPrimary(), inSpill(), calls['moveIn'], calls['commit']]).toEqual([['a', 'b'], [], 2, undefined]);
  });
});

describe('a process that ends', () => {
  test('between a move and the removal from the spill leaves nothing to be done twice', async () => {
    under.primary.health = 'down';
    await commit('a', 'b');
    await store.close();
    const spill = await openTestSpill(under.file);
    const parcel = await spill.readParcel({ rows: 500, bytes: 1_000_000 });
    await spill.close();
    under.primary.recover();
    await under.primary.store.moveIn(parcel);
    store = await under.open();
    expect([store.spilledEvents, under.changes.at(-1)?.state]).toEqual([2, 'spilling']);
    await under.reaches('direct');
    expect([inPrimary(), inSpill(), under.primary.moved.length]).toEqual([['a', 'b'], [], 2]);
  });

  test('has the next one move what it left, before anything new goes direct', async () => {
    under.primary.health = 'down';
    await commit('a');
    await store.close();
    store = await under.open();
    await commit('b');
    under.primary.recover();
    await under.reaches('direct');
    await commit('c');
    expect(inPrimary()).toEqual(['a', 'b', 'c']);
  });
});

describe('closing', () => {
  test('moves what is quickly moved', async () => {
    await store.close();
    store = await under.open({ times: { ...QUICK, probeEveryMs: 60_000 } });
    under.primary.health = 'down';
    await commit('a');
    under.primary.recover();
    await store.close();
    expect([inPrimary(), inSpill()]).toEqual([['a'], []]);
    await expect(commit('b')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await expect(store.check()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await store.close();
  });

  test.each(['down', 'hung'] as const)('does not wait for a primary store that is %s', async (health) => {
    await store.close();
    store = await under.open({ times: { ...QUICK, probeLimitMs: 60_000 } });
    under.primary.health = health;
    await commit('a');
    const started = performance.now();
    await store.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(inSpill()).toEqual(['a']);
  });
});

describe('while events are in the spill', () => {
  test('the heads of its chains are among the heads, with those of the primary store where it answers', async () => {
    await commit('a');
    const [direct] = await store.auditHeads();
    under.primary.health = 'down';
    const { head } = await commit('b');
    expect(await store.auditHeads()).toEqual([head]);
    let heads: unknown[] = [];
    watch(async (call) => {
      if (call === 'moveIn') heads = await store.auditHeads();
    });
    under.primary.recover();
    await under.reaches('direct');
    expect(heads).toEqual(expect.arrayContaining([direct, head]));
    expect(heads).toHaveLength(2);
  });

  test('no audit entry is pruned, while events are', async () => {
    const DAY = 86_400_000;
    const now = Date.now();
    await commitAccepts(makeAccept({ content: 'old', receivedAt: now - 2 * DAY, dedupUntil: now }));
    const request = { now, eventsBefore: now - DAY, auditBefore: now + DAY, limit: 100 };
    under.primary.health = 'down';
    await commit('a');
    expect(await store.prune(request)).toMatchObject({ events: 1, audits: 0 });
    under.primary.recover();
    await under.reaches('direct');
    expect((await store.prune(request)).audits).toBeGreaterThan(0);
  });
});

describe('a spill whose file vanishes under the service', () => {
  test("is made anew, and is in nobody's way once the primary store answers", async () => {
    await commit('before');
    for (const path of [under.file, `${under.file}-wal`, `${under.file}-shm`]) rmSync(path, { force: true });
    under.primary.health = 'down';
    let answered: unknown;
    // Until the thread that owns the file has opened it again, commits are refused.
    while (answered === undefined) answered = await commit('during').catch(() => pause(50));
    expect(inSpill()).toEqual(['during']);
    under.primary.recover();
    await under.reaches('direct');
    expect(inPrimary()).toEqual(['before', 'during']);
  });
});
