import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { InstantlyApiError } from '../../src/instantly/api-error.ts';
import { rememberFirstStart } from '../../src/instantly/first-start.ts';
import { oldestOfUse, type Round, type RoundOptions, reconcileRound } from '../../src/instantly/reconcile-round.ts';
import type { WebhookEvent } from '../../src/instantly/schemas.ts';
import { UndatedGroups } from '../../src/instantly/undated-groups.ts';
import { type ReconcileState, readWatchState, writeWatchState } from '../../src/instantly/watch-state.ts';
import { attempt, inboxOf, type Log, logOf, OUR_URL, RETENTION_MS, storedEvents } from '../support/instantly-log.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOW = Date.now();
const FRESH: ReconcileState = { through: null, allFrom: null, run: null };

let under: TestStore;

beforeEach(async () => {
  under = await createTestStore();
  await rememberFirstStart(under.store, NOW - 24 * HOUR_MS);
});
afterEach(() => under.remove());

function round(log: Log, state: ReconcileState, now = NOW, more: Partial<RoundOptions> = {}): Promise<Round> {
  return reconcileRound(state, now, {
    reader: log,
    store: under.store,
    inbox: inboxOf(under.store),
    url: OUR_URL,
    search: OUR_URL,
    retentionMs: RETENTION_MS,
    onAccepted: () => undefined,
    onGivenUp: () => undefined,
    save: async () => undefined,
    signal: new AbortController().signal,
    ...more,
  });
}

const kept = async (): Promise<number> => (await storedEvents(under.store)).length;
const failures = (n: number, at = NOW - MINUTE_MS): WebhookEvent[] =>
  Array.from({ length: n }, (_, index) => attempt(at - index * 1_000));

describe('the window of a round', () => {
  test('begins with the first start, then with where the last one ended, and looks back behind it', async () => {
    const log = logOf([attempt(NOW - 25 * HOUR_MS), attempt(NOW - 23 * HOUR_MS)]);
    const first = await round(log, FRESH);
    expect(first).toMatchObject({ state: { through: NOW, run: null }, report: { found: 1, recovered: 1 } });
    log.items = [attempt(NOW - HOUR_MS), attempt(NOW - 3 * HOUR_MS), attempt(NOW + HOUR_MS)];
    const second = await round(log, first.state, NOW + 2 * HOUR_MS);
    // Two hours before where the first one ended; what is older was looked at by then.
    expect(second).toMatchObject({ state: { through: NOW + 2 * HOUR_MS }, report: { found: 2, recovered: 2 } });
  });

  test('where nothing ever served here is empty, and never longer than retention', async () => {
    const other = await createTestStore();
    expect(await oldestOfUse({ store: other.store, retentionMs: RETENTION_MS }, NOW)).toBe(NOW);
    await rememberFirstStart(other.store, NOW - 2 * RETENTION_MS);
    // The first counts.
    await rememberFirstStart(other.store, NOW);
    expect(await oldestOfUse({ store: other.store, retentionMs: RETENTION_MS }, NOW)).toBe(NOW - RETENTION_MS);
    await other.remove();
  });

  test('is of everything from where a webhook was disabled on, once', async () => {
    const log = logOf([attempt(NOW - 5 * HOUR_MS, { success: null }), attempt(NOW - 9 * HOUR_MS, { success: null })]);
    const state = { ...FRESH, through: NOW - MINUTE_MS, allFrom: NOW - 6 * HOUR_MS };
    const all = await round(log, state);
    expect(all).toMatchObject({ state: { allFrom: null, run: null, through: NOW }, report: { recovered: 1 } });
    log.queries.length = 0;
    await round(log, all.state, NOW + MINUTE_MS);
    expect(log.queries.map(({ success }) => success)).toEqual([false]);
  });

  test('forgets nothing that failed before a webhook was disabled', async () => {
    const log = logOf([attempt(NOW - 20 * HOUR_MS), attempt(NOW - 2 * HOUR_MS)]);
    const { report } = await round(log, { ...FRESH, allFrom: NOW - 3 * HOUR_MS });
    expect(report).toMatchObject({ recovered: 2 });
    log.items = [attempt(NOW - 7 * HOUR_MS)];
    const late = await round(log, { ...FRESH, through: NOW - 6 * HOUR_MS, allFrom: NOW - 3 * HOUR_MS });
    expect(late.report).toMatchObject({ recovered: 1 });
  });

  test('is looked at again for a day where a page told nothing of use, and keeps nothing newer waiting', async () => {
    const odd = attempt(NOW - MINUTE_MS, { webhook_url: undefined });
    const log = logOf([odd]);
    let state = FRESH;
    const save = async (progress: ReconcileState): Promise<void> => {
      state = progress;
    };
    await expect(round(log, state, NOW, { save })).rejects.toMatchObject({ failure: 'unreadable' });
    expect(state).toEqual({ ...FRESH, through: NOW - 24 * HOUR_MS });
    log.items = [attempt(NOW + MINUTE_MS), odd];
    const next = await round(log, state, NOW + 5 * MINUTE_MS, { save });
    expect(next).toMatchObject({ report: { recovered: 1 }, state: { through: NOW + 5 * MINUTE_MS } });
    expect(await kept()).toBe(1);
  });

  test.each([3, -3])('goes by the clock of Instantly, which is %p hours ahead', async (hours) => {
    const ahead = hours * HOUR_MS;
    const log = logOf([attempt(NOW + ahead - MINUTE_MS), attempt(NOW + ahead - 25 * HOUR_MS)]);
    log.clockAheadMs = ahead;
    const { state, report } = await round(log, FRESH);
    expect([state.through, report.recovered]).toEqual([NOW, 1]);
    log.items = [attempt(NOW + ahead + 9 * MINUTE_MS), attempt(NOW + ahead - 3 * HOUR_MS)];
    expect((await round(log, state, NOW + 10 * MINUTE_MS)).report).toMatchObject({ found: 1, recovered: 1 });
  });

  test('looks at what failed while our clock was ahead, once that is set', async () => {
    const log = logOf([attempt(NOW - MINUTE_MS)]);
    const { report } = await round(log, { ...FRESH, through: NOW + 5 * HOUR_MS });
    expect(report).toMatchObject({ recovered: 1 });
  });

  test('holds what failed a moment ago by a clock that is a second ahead', async () => {
    const { report } = await round(logOf([attempt(NOW + 1_000, { success: null })]), { ...FRESH, allFrom: NOW - 1 });
    expect(report).toMatchObject({ recovered: 1 });
  });

  test('does not go back in time with the clock', async () => {
    const { state } = await round(logOf([]), { ...FRESH, through: NOW }, NOW - HOUR_MS);
    expect(state.through).toBe(NOW);
  });
});

describe('a run that is interrupted', () => {
  /** Runs until the given page, as if the process were killed just before or just after that page was saved. */
  async function interrupt(log: Log, state: ReconcileState, page: number, isSaved: boolean): Promise<void> {
    let pages = 0;
    const killed = round(log, state, NOW, {
      save: async (progress) => {
        pages += 1;
        const write = async (): Promise<void> =>
          writeWatchState(under.store, { ...(await readWatchState(under.store)), reconcile: progress });
        if (pages < page || isSaved) await write();
        if (pages === page) throw new Error('killed');
      },
    });
    await expect(killed).rejects.toThrow('killed');
  }

  const saved = async (): Promise<ReconcileState> => (await readWatchState(under.store)).reconcile;

  test.each([1, 2, 3, 4, 5].flatMap((page) => [true, false].map((isSaved) => [page, isSaved] as const)))(
    'at page %s (saved: %s) goes on there, and all of it is held once',
    async (page, isSaved) => {
      const log = logOf(failures(23));
      await interrupt(log, FRESH, page, isSaved);
      expect(await kept()).toBe(Math.min(23, page * 5));
      const before = log.queries.length;
      const { state, report } = await round(log, await saved(), NOW + HOUR_MS);
      expect(report.complete).toBe(true);
      expect(await kept()).toBe(23);
      expect(report.recovered + Math.min(23, page * 5)).toBe(23);
      expect(state.run).toBeNull();
      const last = Math.min(23, (isSaved ? page : page - 1) * 5) - 1;
      expect(log.queries[before]?.startingAfter).toBe(log.items[last]?.id);
      expect(new Set(log.items.map(({ id }) => id))).toEqual(log.read);
    },
  );

  test('and what fails meanwhile is fetched by the run after it', async () => {
    const log = logOf(failures(23));
    await interrupt(log, FRESH, 2, true);
    log.items = [...failures(4, NOW + 30 * MINUTE_MS), ...log.items];
    const taken = await round(log, await saved(), NOW + HOUR_MS);
    expect(taken).toMatchObject({ report: { recovered: 13, complete: true }, state: { run: null, through: NOW } });
    const next = await round(log, taken.state, NOW + HOUR_MS);
    expect(next).toMatchObject({ report: { recovered: 4 }, state: { through: NOW + HOUR_MS } });
    expect(await kept()).toBe(27);
  });

  test('keeps a disabled spell that is noticed meanwhile for a run of its own', async () => {
    const log = logOf(failures(23));
    await interrupt(log, FRESH, 2, true);
    const taken = await round(log, { ...(await saved()), allFrom: NOW - 3 * HOUR_MS }, NOW + HOUR_MS);
    expect(taken.state).toMatchObject({ run: null, allFrom: NOW - 3 * HOUR_MS });
    log.items = [attempt(NOW - 2 * HOUR_MS, { success: null }), ...log.items];
    const next = await round(log, taken.state, NOW + HOUR_MS);
    expect(next).toMatchObject({ state: { allFrom: null }, report: { recovered: 1 } });
  });

  test.each(['refused', 'not-found'] as const)('and whose cursor is %s begins its window anew', async (failure) => {
    const log = logOf(failures(23));
    await interrupt(log, FRESH, 2, true);
    const refusing: Log = {
      ...log,
      webhookEvents: (query, signal) => {
        if (query.startingAfter === undefined) return log.webhookEvents(query, signal);
        const [setting, operation] = ['INSTANTLY_READ_KEY', 'webhook-events.list'] as const;
        return Promise.reject(new InstantlyApiError({ failure, operation, setting, status: 400 }));
      },
    };
    let progress: ReconcileState | undefined;
    const save = async (state: ReconcileState): Promise<void> => {
      progress = state;
    };
    await expect(round(refusing, await saved(), NOW + HOUR_MS, { save })).rejects.toMatchObject({ failure });
    expect(progress?.run).toEqual({ mode: 'failed', from: NOW - 24 * HOUR_MS, to: NOW, rounds: 2 });
    const { report } = await round(log, progress ?? FRESH, NOW + HOUR_MS);
    expect(report).toMatchObject({ complete: true, held: 10, recovered: 13 });
  });

  test('and comes to no end is given up, and the next one begins where it should have ended', async () => {
    let givenUp = 0;
    const onGivenUp = () => {
      givenUp += 1;
    };
    const log = logOf(failures(1_100));
    const run = { mode: 'failed', from: NOW - HOUR_MS, to: NOW - MINUTE_MS, rounds: 999 } as const;
    const last = await round(log, { ...FRESH, run }, NOW, { onGivenUp });
    expect(last).toMatchObject({ state: { run: { rounds: 1_000 } }, report: { complete: false } });
    expect(givenUp).toBe(0);
    log.items = [attempt(NOW)];
    const next = await round(log, last.state, NOW + MINUTE_MS, { onGivenUp });
    expect(givenUp).toBe(1);
    expect(next).toMatchObject({
      state: { run: null, through: NOW + MINUTE_MS },
      report: { found: 1, complete: true },
    });
    // Two hours of overlap, and a day, since Instantly takes days of a zone that it does not name.
    expect(log.queries.at(-1)?.from).toBe(new Date(NOW - MINUTE_MS - 26 * HOUR_MS).toISOString().slice(0, 10));
  });

  test('because a run over everything fails at once asks for everything again', async () => {
    const log: Log = { ...logOf(failures(3)), webhookEvents: () => Promise.reject(new Error('away')) };
    const state = { ...FRESH, through: NOW, allFrom: NOW - HOUR_MS };
    await writeWatchState(under.store, { ...(await readWatchState(under.store)), reconcile: state });
    await expect(round(log, state)).rejects.toThrow('away');
    expect(await saved()).toEqual(state);
  });
});

describe('payloads without a time of their own', () => {
  test('are taken once, though their key is forgotten after an hour', async () => {
    const items = [attempt(NOW - MINUTE_MS, { payload: { n: 1 } }), attempt(NOW - MINUTE_MS, { payload: { n: 2 } })];
    const log = logOf(items);
    const { state } = await round(log, FRESH);
    // The store forgets their keys; what is remembered of them is not forgotten.
    const other = await createTestStore();
    await rememberFirstStart(other.store, NOW - 24 * HOUR_MS);
    const remembered = (await under.store.readDocument('undated-groups'))?.text ?? '';
    await other.store.writeDocument('undated-groups', remembered, null);
    const later = await round(log, state, NOW + 90 * MINUTE_MS, { store: other.store, inbox: inboxOf(other.store) });
    expect(later.report).toMatchObject({ held: 2, recovered: 0 });
    await other.remove();
  });

  test('are remembered in a number that has an end', async () => {
    const groups = Array.from({ length: 3_500 }, (_, n) => `group ${n}`);
    await (await UndatedGroups.read(under.store)).add(groups.slice(0, 2_000));
    await (await UndatedGroups.read(under.store)).add(groups);
    const known = await UndatedGroups.read(under.store);
    expect(groups.filter((group) => known.has(group))).toEqual(groups.slice(-3_000));
  });
});

test('a state that another release has written otherwise is begun anew', async () => {
  await under.store.writeDocument('watch', '{"at":"yesterday"}', null);
  expect(await readWatchState(under.store)).toMatchObject({ at: 0, reconcile: FRESH });
});
