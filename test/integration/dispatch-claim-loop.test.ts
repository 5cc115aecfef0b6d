import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ClaimLoop } from '../../src/dispatch/claim-loop.ts';
import type { ClaimedDelivery, ClaimRequest } from '../../src/inbox/store.ts';
import { makeAccept, makeBatch, makeOutcome } from '../contract/make-parts.ts';
import { createTestStore, type TestStore } from '../unit/inbox-support.ts';

let testStore: TestStore;
let loop: ClaimLoop | undefined;
let claims: ClaimRequest[];
let taken: ClaimedDelivery[];
let watch: () => void;

beforeEach(async () => {
  testStore = await createTestStore();
  claims = [];
  taken = [];
  watch = () => undefined;
});

afterEach(async () => {
  await loop?.stop();
  await testStore.remove();
});

/** A loop over handlers that keep what they get. */
function createLoop(places: Record<string, number>): ClaimLoop {
  const { store } = testStore;
  loop = new ClaimLoop({
    store: {
      claim: (request) => {
        claims.push(request);
        return store.claim(request);
      },
    },
    places: () =>
      Object.entries(places)
        .map(([handler, limit]) => ({ handler, limit: limit - taken.filter((one) => one.handler === handler).length }))
        .filter(({ limit }) => limit > 0),
    newLease: () => 'lease',
    leaseMs: 60_000,
    clock: Date.now,
    take: (delivery) => {
      taken.push(delivery);
      watch();
    },
    onFailures: () => undefined,
  });
  return loop;
}

function untilTaken(count: number): Promise<void> {
  return new Promise((resolve) => {
    watch = () => {
      if (taken.length >= count) resolve();
    };
    watch();
  });
}

const accept = (...handlers: string[]) =>
  testStore.store.commit(
    makeBatch({
      accepts: handlers.map((handler) => makeAccept({ lead: null, routes: [{ handler, ordered: false }] })),
    }),
  );

test('takes all that there are places for, and no more', async () => {
  await accept('a', 'a', 'a', 'b');
  createLoop({ a: 2, b: 5 }).wake();
  await untilTaken(3);
  await loop?.stop();
  expect(taken.map(({ handler }) => handler)).toEqual(['a', 'a', 'b']);
});

test('a full handler with more to do does not hide when another one has something due', async () => {
  await accept('b');
  const places = [{ handler: 'b', limit: 1 }];
  const now = Date.now();
  const { deliveries } = await testStore.store.claim({ now, places, lease: 'l', leaseUntil: now + 1_000 });
  const next = { state: 'pending', error: 'no', retryAt: now + 1_500, holdMs: 0 } as const;
  await testStore.store.commit(makeBatch({ outcomes: deliveries.map((delivery) => makeOutcome(delivery, next)) }));
  await accept('a', 'a');
  // Woken once; the next look without a reason is half a minute away.
  createLoop({ a: 1, b: 1 }).wake();
  await untilTaken(2);
  expect(taken.map(({ handler, attempt }) => [handler, attempt])).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
}, 20_000);

test('however often it is woken, one claim is under way and one more follows', async () => {
  await accept('a');
  const woken = createLoop({ a: 5 });
  for (let i = 0; i < 100; i += 1) woken.wake();
  expect(claims).toHaveLength(1);
  await untilTaken(1);
  await accept('a');
  for (let i = 0; i < 100; i += 1) woken.wake();
  await untilTaken(2);
  await loop?.stop();
  // One for the first wake, one for the ninety-nine during it, and at most as many for the second hundred.
  expect(claims.length).toBeLessThanOrEqual(4);
});

test('asks for nothing without a place, and nothing after it was stopped', async () => {
  await accept('a');
  const full = createLoop({ a: 0 });
  full.wake();
  await full.stop();
  full.wake();
  expect(claims).toEqual([]);
});
