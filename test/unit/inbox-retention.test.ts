import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Retention } from '../../src/inbox/retention.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

const DAY = 86_400_000;
const TEN_MINUTES = 600_000;

let under: TestStore;

beforeEach(async () => {
  under = await createTestStore();
});
afterEach(async () => {
  jest.useRealTimers();
  await under.remove();
});

const old = (n: number) =>
  Array.from({ length: n }, () => makeAccept({ receivedAt: Date.now() - 31 * DAY, dedupUntil: Date.now() }));

function create(
  observe: Partial<Pick<ConstructorParameters<typeof Retention>[0], 'onPruned' | 'onFailure' | 'store'>> = {},
): Retention {
  return new Retention({
    store: under.store,
    owner: 'this process',
    eventsMs: 30 * DAY,
    anonymousMs: 1,
    auditMs: 400 * DAY,
    onPruned: () => undefined,
    onFailure: () => undefined,
    ...observe,
  });
}

describe('retention', () => {
  test('removes everything that is due, in more than one step', async () => {
    await under.store.commit(makeBatch({ accepts: [...old(1_200), makeAccept()] }));
    expect(await create().round()).toEqual({ events: 1_200, audits: 0 });
    expect(await under.store.listEvents({ limit: 10 })).toHaveLength(1);
  });

  test('ends a round early when it is stopped', async () => {
    await under.store.commit(makeBatch({ accepts: old(1_200) }));
    const retention = create();
    const round = retention.round();
    retention.stop();
    expect(await round).toEqual({ events: 500, audits: 0 });
  });

  test('comes round by itself, says what went, and goes on after a failure', async () => {
    const heard: unknown[] = [];
    let wake: () => void = () => undefined;
    const next = (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      });
    const hear = (what: unknown): void => {
      heard.push(what);
      wake();
    };
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance', 'hrtime', 'queueMicrotask'] });
    const retention = create({ onPruned: hear, onFailure: () => hear('failed') });
    under.lock();
    await unlockedCommit(old(1));
    retention.start();
    let settled = next();
    jest.advanceTimersByTime(30_000);
    await settled;
    under.unlock();
    settled = next();
    await flush();
    jest.advanceTimersByTime(TEN_MINUTES);
    await settled;
    expect(heard).toEqual(['failed', { events: 1, audits: 0 }]);
    retention.stop();
  });

  test('leaves it to the process that is at it', async () => {
    await under.store.commit(makeBatch({ accepts: old(1) }));
    await under.store.holdLease('prune', 'another process', 60_000);
    const { promise: asked, resolve } = Promise.withResolvers<boolean>();
    const { store } = under;
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance', 'hrtime', 'queueMicrotask'] });
    const retention = create({
      store: {
        prune: store.prune,
        releaseLease: store.releaseLease,
        holdLease: async (...lease) => {
          const isHeld = await store.holdLease(...lease);
          resolve(isHeld);
          return isHeld;
        },
      },
    });
    retention.start();
    jest.advanceTimersByTime(30_000);
    expect(await asked).toBe(false);
    await flush();
    expect(await store.listEvents({ limit: 5 })).toHaveLength(1);
    retention.stop();
  });

  /** The lock is another connection's, so what is to be pruned has to be there before it. */
  async function unlockedCommit(accepts: ReturnType<typeof old>): Promise<void> {
    under.unlock();
    await under.store.commit(makeBatch({ accepts }));
    under.lock();
  }

  async function flush(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
});
