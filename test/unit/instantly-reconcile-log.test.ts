import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Problem } from '../../src/errors/problem.ts';
import { interpretBody } from '../../src/events/interpret-body.ts';
import { reconcileLog } from '../../src/instantly/reconcile-log.ts';
import type { ReconcileOptions, ReconcileReport } from '../../src/instantly/reconcile-options.ts';
import type { WebhookEvent } from '../../src/instantly/schemas.ts';
import { attempt, inboxOf, type Log, logOf, OUR_URL, runOptions, storedEvents } from '../support/instantly-log.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.now();

let under: TestStore;

beforeEach(async () => {
  under = await createTestStore();
});
afterEach(() => under.remove());

function run(log: Log, more: Partial<ReconcileOptions> = {}): Promise<ReconcileReport> {
  return reconcileLog({ ...runOptions(under.store, more), reader: log });
}

const all = (from = 0): Pick<ReconcileOptions, 'window'> => ({ window: { mode: 'all', from, to: NOW + HOUR_MS } });
const failed = (from = 0): Pick<ReconcileOptions, 'window'> => ({
  window: { mode: 'failed', from, to: NOW + HOUR_MS },
});
const stored = async (): Promise<number> => (await storedEvents(under.store)).length;

describe('the attempts of one delivery', () => {
  const group = { retry_group_id: 'one', payload: { event_type: 'email_sent', timestamp: '2026-11-20T10:00:00Z' } };

  test('are one event, over the borders of pages', async () => {
    const items = [attempt(NOW, group), ...Array.from({ length: 6 }, () => attempt(NOW - 1)), attempt(NOW - 2, group)];
    expect(await run(logOf(items))).toMatchObject({ found: 8, groups: 7, recovered: 7, pages: 3, complete: true });
    expect(await stored()).toBe(7);
  });

  test('are none where a later one succeeded, which stands on another page', async () => {
    const items = [
      attempt(NOW, { ...group, success: true }),
      ...Array.from({ length: 6 }, () => attempt(NOW - 1)),
      attempt(NOW - 2, group),
    ];
    // Whichever comes first.
    for (const told of [items, items.toReversed()]) {
      expect(await run(logOf(told), all())).toMatchObject({ groups: 7, succeeded: 1, complete: true });
      expect(await stored()).toBe(6);
    }
  });

  test('are none where Instantly says so at the failed one', async () => {
    const items = [attempt(NOW, { retry_successful: true }), attempt(NOW)];
    expect(await run(logOf(items))).toMatchObject({ succeeded: 1, recovered: 1 });
  });

  test('are all looked at where the store may have lost them', async () => {
    const items = [attempt(NOW, { success: true }), attempt(NOW, { retry_successful: true }), attempt(NOW)];
    const report = await run(logOf(items), { ...all(), includeSucceeded: true });
    expect(report).toMatchObject({ succeeded: 0, recovered: 3 });
  });

  test('are one event, though the newest tells no payload', async () => {
    const items = [
      attempt(NOW, { ...group, payload: null }),
      attempt(NOW - 1, group),
      attempt(NOW - 2, { ...group, payload: null }),
    ];
    expect(await run(logOf(items))).toMatchObject({ found: 3, groups: 1, recovered: 1, unreadable: 0 });
    const none = [
      attempt(NOW, { payload: null, retry_group_id: 'none' }),
      attempt(NOW, { payload: 3, retry_group_id: 'none' }),
    ];
    expect(await run(logOf(none))).toMatchObject({ groups: 1, unreadable: 1, recovered: 0 });
  });

  test('without a group of their own are told by their id', async () => {
    const { retry_group_id: _, ...alone } = attempt(NOW);
    expect(
      await run(logOf([alone, attempt(NOW, { retry_group_id: null }), attempt(NOW, { retry_group_id: '' })])),
    ).toMatchObject({
      groups: 3,
      recovered: 3,
    });
  });
});

describe('what is not fetched back', () => {
  test('for another URL, or for none that is told', async () => {
    const items = [attempt(NOW, { webhook_url: 'https://other.example.com/' }), attempt(NOW, { webhook_url: null })];
    expect(await run(logOf(items))).toMatchObject({ found: 0, recovered: 0, complete: true });
  });

  test('from before the window or after it', async () => {
    const window = { mode: 'failed', from: NOW - HOUR_MS, to: NOW } as const;
    const items = [NOW + 1, NOW, NOW - HOUR_MS, NOW - HOUR_MS - 1].map((at) => attempt(at));
    expect(await run(logOf(items), { window })).toMatchObject({ found: 2, recovered: 2 });
  });

  test('what is held, whatever the order of its keys; it is found the same by a second run', async () => {
    const items = Array.from({ length: 12 }, (_, n) => attempt(NOW, { payload: { a: n, timestamp: '2026-11-20' } }));
    expect(await run(logOf(items))).toMatchObject({ recovered: 12, held: 0 });
    const turned = items.map((item, n) => ({ ...item, payload: { timestamp: '2026-11-20', a: n } }));
    expect(await run(logOf(turned))).toMatchObject({ recovered: 0, held: 12 });
    expect(await stored()).toBe(12);
  });

  test.each([[null], ['text'], [3], [[1]], [undefined]])('whose payload is no object: %p', async (payload) => {
    expect(await run(logOf([attempt(NOW, { payload }), attempt(NOW)]))).toMatchObject({ unreadable: 1, recovered: 1 });
    expect(await stored()).toBe(1);
  });

  test('for our URL with a query is ours', async () => {
    expect(await run(logOf([attempt(NOW, { webhook_url: `${OUR_URL}?by=hand` })]))).toMatchObject({ recovered: 1 });
  });

  test('what is odd, which keeps nothing else away', async () => {
    const items = [attempt(NOW), attempt(NOW, { payload: undefined }), attempt(NOW, { webhook_url: undefined })];
    const log = logOf(items);
    const odd: Log = {
      ...log,
      webhookEvents: async (query, signal) => ({ ...(await log.webhookEvents(query, signal)), odd: ['items.3.id'] }),
    };
    // Of the last page, which holds nothing but what is odd.
    await expect(run(odd)).rejects.toMatchObject({ failure: 'unreadable' });
    expect(await stored()).toBe(1);
  });

  test('pages that tell of no URL at all are no answer, once all are read', async () => {
    const items = Array.from({ length: 5 }, () => attempt(NOW, { webhook_url: undefined }));
    const log = logOf([...items, attempt(NOW)]);
    await expect(run(log)).rejects.toThrow('items.0.webhook_url');
    expect(await stored()).toBe(1);
    expect(log.queries).toHaveLength(3);
  });

  test.each([undefined, null])(
    'pages whose every payload is %p, which are counted and passed over',
    async (payload) => {
      const log = logOf([...Array.from({ length: 5 }, () => attempt(NOW, { payload })), attempt(NOW)]);
      expect(await run(log)).toMatchObject({ complete: true, unreadable: 5, recovered: 1, lacking: undefined });
      expect(await stored()).toBe(1);
    },
  );

  test('anything, where it is only to be told', async () => {
    const items = Array.from({ length: 7 }, () => attempt(NOW));
    expect(await run(logOf(items), { dryRun: true })).toMatchObject({ recovered: 7, held: 0, complete: true });
    expect(await stored()).toBe(0);
  });
});

describe('what tells no time', () => {
  test('of the attempt may be of any time', async () => {
    const window = { mode: 'failed', from: NOW - HOUR_MS, to: NOW - 1 } as const;
    const items = [attempt(NOW - 10), attempt(NOW, { timestamp_created: null }), attempt(NOW - 20)];
    expect(await run(logOf(items), { window })).toMatchObject({ found: 3, recovered: 3 });
  });

  test('of the attempt, though the event does, is judged by that', async () => {
    const window = { mode: 'failed', from: NOW - HOUR_MS, to: NOW } as const;
    const of = (at: number) => ({ timestamp_created: 'some day', payload: { timestamp: new Date(at).toISOString() } });
    const items = [attempt(NOW, of(NOW - 2 * HOUR_MS)), attempt(NOW, of(NOW - 1)), attempt(NOW, of(NOW + HOUR_MS))];
    expect(await run(logOf(items), { window })).toMatchObject({ found: 3, recovered: 2, held: 0 });
  });

  test('of the event is remembered by its group, whether it is recovered or held, for its key is soon forgotten', async () => {
    const items = [attempt(NOW, { payload: { n: 1 } }), attempt(NOW, { payload: { n: 2 } }), attempt(NOW)];
    const first = await run(logOf(items.slice(0, 1)));
    expect(first.undated).toEqual([items[0]?.retry_group_id]);
    const second = await run(logOf(items));
    expect(second).toMatchObject({ held: 1, recovered: 2 });
    expect(second.undated).toEqual(items.slice(0, 2).map(({ retry_group_id: group }) => group));
    // As if the hour were over: another store has no key of it.
    const other = await createTestStore();
    const known = new Set(second.undated);
    const third = await reconcileLog({ ...runOptions(other.store, { known }), reader: logOf(items) });
    expect(third).toMatchObject({ held: 2, recovered: 1 });
    await other.remove();
  });
});

describe('how far it reads', () => {
  const spread = (n: number, fromMs: number): WebhookEvent[] =>
    Array.from({ length: n }, (_, index) => attempt(fromMs - index * 10 * 60_000));

  test('where the newest come first, to the first page of what is too old', async () => {
    const log = logOf(spread(40, NOW));
    expect(await run(log, failed(NOW - HOUR_MS))).toMatchObject({ recovered: 7, complete: true });
    expect(log.queries).toHaveLength(3);
  });

  test('where the oldest come first, or in no order, to the end', async () => {
    for (const items of [
      spread(40, NOW).toReversed(),
      spread(40, NOW).toSorted((a, b) => (a.id.slice(-4) < b.id.slice(-4) ? -1 : 1)),
    ]) {
      const log = logOf(items);
      expect(await run(log, { ...failed(NOW - HOUR_MS), dryRun: true })).toMatchObject({
        recovered: 7,
        complete: true,
      });
      expect(log.queries).toHaveLength(9);
    }
  });

  test('one entry a page tells no order', async () => {
    const log = logOf([attempt(NOW - 2 * HOUR_MS), attempt(NOW)], 1);
    expect(await run(log, failed(NOW - HOUR_MS))).toMatchObject({ recovered: 1, complete: true });
  });

  test('as many pages as it may, and on from there', async () => {
    const log = logOf(spread(23, NOW));
    const first = await run(log, { maxPages: 2 });
    expect(first).toMatchObject({ recovered: 10, complete: false, startingAfter: expect.any(String) });
    const window = { mode: 'failed', from: 0, to: NOW + HOUR_MS, startingAfter: first.startingAfter } as const;
    expect(await run(log, { window })).toMatchObject({ recovered: 13, held: 0, complete: true });
  });

  test('no longer than it may', async () => {
    expect(await run(logOf(spread(23, NOW)), { withinMs: 0 })).toMatchObject({ pages: 0, complete: false });
  });

  test('also where there are more successes than it may read pages: it gets on all the same', async () => {
    const log = logOf([...Array.from({ length: 50 }, () => attempt(NOW, { success: true })), ...spread(4, NOW)]);
    let startingAfter: string | undefined;
    for (let runs = 1; ; runs += 1) {
      expect(runs).toBeLessThan(10);
      const report = await run(log, {
        window: { mode: 'all', from: 0, to: NOW + HOUR_MS, startingAfter },
        maxPages: 4,
      });
      if (report.complete) break;
      startingAfter = report.startingAfter;
    }
    expect(await stored()).toBe(4);
  });

  test('a log that leads in a circle ends it', async () => {
    const items = [attempt(NOW)];
    const webhookEvents: Log['webhookEvents'] = async ({ startingAfter }) => ({
      items,
      odd: [],
      next: startingAfter === 'b' ? 'a' : startingAfter === 'a' ? 'c' : 'b',
    });
    expect(await run({ ...logOf(items), webhookEvents })).toMatchObject({ pages: 4, recovered: 1, complete: true });
  });

  test('a cursor that stands still ends it', async () => {
    const items = [attempt(NOW)];
    const log: Log = { ...logOf(items), webhookEvents: async () => ({ items, odd: [], next: 'same' }) };
    expect(await run(log)).toMatchObject({ pages: 2, recovered: 1, complete: true });
  });

  test('asks for a day more on both sides: nobody has said by which clock days are told', async () => {
    const log = logOf([]);
    const window = { mode: 'all', from: Date.UTC(2026, 10, 20, 1), to: Date.UTC(2026, 10, 21, 23) } as const;
    await run(log, { window });
    expect(log.queries).toMatchObject([
      { from: '2026-11-19', to: '2026-11-22', success: true },
      { from: '2026-11-19', to: '2026-11-22' },
    ]);
    expect(log.queries[1]).not.toHaveProperty('success');
  });
});

describe('a store that takes nothing', () => {
  test('ends it; what was read before is held, and the rest comes with the next run', async () => {
    const items = Array.from({ length: 12 }, () => attempt(NOW));
    const own = inboxOf(under.store);
    let accepted = 0;
    const inbox: ReconcileOptions['inbox'] = {
      interpret: interpretBody,
      accept: (...words) => {
        accepted += 1;
        if (accepted > 7) throw new Problem('overloaded');
        return own.accept(...words);
      },
    };
    await expect(run(logOf(items), { inbox })).rejects.toBeInstanceOf(Problem);
    expect(await run(logOf(items))).toMatchObject({ complete: true });
    expect(await stored()).toBe(12);
  });
});

/** A store that holds the payload of each key. */
function inMemory(held: Map<string, { readonly group: number }>): Pick<ReconcileOptions, 'store' | 'inbox'> {
  const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');
  return {
    store: { findByKeys: async (keys) => keys.map(({ dedupKey: key }) => (held.has(hex(key)) ? hex(key) : undefined)) },
    inbox: {
      interpret: interpretBody,
      accept: async ({ body }, event) => {
        const id = hex(event.dedupKey);
        if (held.has(id)) return { status: 'duplicate', id };
        held.set(id, JSON.parse(Buffer.from(body).toString()));
        return { status: 'accepted', id };
      },
    },
  };
}

test('whatever the log and its order, each failed delivery of the window is held once', async () => {
  const entry = fc.record({
    group: fc.nat(8),
    minutes: fc.nat(300),
    success: fc.option(fc.boolean(), { nil: null }),
    ours: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom('newest', 'oldest', 'none'),
      async (drawn, pageSize, order) => {
        const items = drawn.map(({ group, minutes, success, ours }) =>
          attempt(NOW - minutes * 60_000, {
            success,
            retry_group_id: `group ${group}`,
            payload: { group, timestamp: '2026-11-20' },
            ...(ours ? {} : { webhook_url: 'https://other.example.com/' }),
          }),
        );
        if (order !== 'none') {
          const sign = order === 'newest' ? -1 : 1;
          items.sort((a, b) => sign * (String(a.timestamp_created) < String(b.timestamp_created) ? -1 : 1));
        }
        const held = new Map<string, { readonly group: number }>();
        const from = NOW - 150 * 60_000;
        const options = { ...runOptions(under.store, all(from)), ...inMemory(held) };
        const report = await reconcileLog({ ...options, reader: logOf(items, pageSize) });
        const succeeded = new Set(items.filter(({ success }) => success === true).map((item) => item.retry_group_id));
        const wanted = items.filter(
          (item) =>
            item.webhook_url?.includes('hooks') === true &&
            Date.parse(String(item.timestamp_created)) >= from &&
            !succeeded.has(item.retry_group_id),
        );
        const groups = [...held.values()].map(({ group }) => `group ${group}`);
        expect(groups.toSorted()).toEqual([...new Set(wanted.map((item) => item.retry_group_id))].toSorted());
        expect(report.complete).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
