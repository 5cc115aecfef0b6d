import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { detectSilence, SILENT_FROM } from '../../src/instantly/detect-silence.ts';
import { fetchAllFrom, lookAtWebhooks } from '../../src/instantly/look-at-webhooks.ts';
import { afterGoodOrder, judgeResume } from '../../src/instantly/resume-policy.ts';
import type { Webhook } from '../../src/instantly/schemas.ts';
import type { AbsentWebhook, WatchedWebhook, WatchState } from '../../src/instantly/watch-state.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.UTC(2026, 10, 20, 12);

describe('a webhook that Instantly has disabled', () => {
  test.each([
    [0, 10],
    [1, 10],
    [2, 30],
    [3, 120],
    [4, 360],
  ])('after %s resumptions is resumed again %s minutes later', (resumes, minutes) => {
    const since = (ms: number) => judgeResume({ resumes, resumedAt: NOW - ms }, NOW);
    expect(since(minutes * MINUTE_MS)).toBe('resume');
    expect(since(minutes * MINUTE_MS - 1)).toBe(resumes === 0 ? 'resume' : 'wait');
    // A clock that was set back.
    expect(since(-HOUR_MS)).toBe(resumes === 0 ? 'resume' : 'wait');
  });

  test('is given up after the fifth', () => {
    expect(judgeResume({ resumes: 5, resumedAt: NOW - 30 * DAY_MS }, NOW)).toBe('give-up');
    expect(judgeResume({ resumes: 900, resumedAt: NOW }, NOW)).toBe('give-up');
  });

  test('is as if it had never been after a day of good order', () => {
    const resumes = { resumes: 4, resumedAt: NOW - DAY_MS };
    expect(afterGoodOrder(resumes, NOW - 1)).toEqual(resumes);
    expect(afterGoodOrder(resumes, NOW)).toEqual({ resumes: 0, resumedAt: null });
    expect(afterGoodOrder({ resumes: 0, resumedAt: null }, NOW)).toEqual({ resumes: 0, resumedAt: null });
  });
});

describe('emails that are sent and no event', () => {
  const day = (date: string, sent: number) => ({ date, sent });
  const FRESH: WatchState['silence'] = { looked: false, sent: {}, sentSince: 0, lastEventAt: null };

  test('count from the second look on, by the day', () => {
    const first = detectSilence(FRESH, [day('2026-11-19', 900), day('2026-11-20', 100)], null);
    expect(first).toEqual({
      looked: true,
      sent: { '2026-11-19': 900, '2026-11-20': 100 },
      sentSince: 0,
      lastEventAt: null,
    });
    const second = detectSilence(first, [day('2026-11-19', 901), day('2026-11-20', 110)], null);
    expect(second.sentSince).toBe(11);
    // Over midnight: the day before yesterday is told no more, and the new one begins.
    const third = detectSilence(second, [day('2026-11-20', 115), day('2026-11-21', 8)], null);
    expect(third.sentSince).toBe(24);
    expect(third.sentSince >= SILENT_FROM).toBe(true);
  });

  test('count from the second look on also where the first found no day at all', () => {
    const first = detectSilence(FRESH, [], null);
    expect(detectSilence(first, [day('2026-11-20', 40)], null).sentSince).toBe(40);
  });

  test('are none once one arrives', () => {
    const silent = { looked: true, sent: { '2026-11-20': 100 }, sentSince: 50, lastEventAt: NOW - DAY_MS };
    expect(detectSilence(silent, [day('2026-11-20', 150)], NOW)).toMatchObject({ sentSince: 0, lastEventAt: NOW });
    expect(detectSilence(silent, [day('2026-11-20', 150)], NOW - DAY_MS).sentSince).toBe(100);
  });

  test('are told of campaigns apart, without a day or a number, or fewer than before', () => {
    const before = detectSilence(FRESH, [day('2026-11-20', 10), day('2026-11-20', 5)], null);
    expect(before.sent).toEqual({ '2026-11-20': 15 });
    const odd = [{ date: null, sent: 70 }, { sent: 70 }, { date: '2026-11-20' }, day('2026-11-20', 12)];
    expect(detectSilence(before, odd, null)).toMatchObject({ sentSince: 0, sent: { '2026-11-20': 12 } });
    expect(detectSilence(before, [], null)).toMatchObject({ sentSince: 0, sent: {} });
  });

  test('are never counted twice, nor lost while each day only grows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 40 }), (steps) => {
        let state = detectSilence(FRESH, [day('d00', 0)], null);
        let [today, sentToday, sentYesterday, total] = [0, 0, 0, 0];
        for (const [index, more] of steps.entries()) {
          sentToday += more;
          total += more;
          const name = (n: number): string => `d${String(n).padStart(2, '0')}`;
          const told = [day(name(today), sentToday), ...(today === 0 ? [] : [day(name(today - 1), sentYesterday)])];
          state = detectSilence(state, told, null);
          if (index % 3 === 2) [today, sentYesterday, sentToday] = [today + 1, sentToday, 0];
        }
        expect(state.sentSince).toBe(total);
      }),
    );
  });
});

describe('a look at our webhooks', () => {
  const webhook = (more: Partial<Webhook> = {}): Webhook => ({ id: 'one', target_hook_url: 'https://x', ...more });
  const watched = (more: Partial<WatchedWebhook> = {}): WatchedWebhook => ({
    id: 'one',
    name: null,
    status: 'active',
    disabledSince: null,
    resumes: 0,
    resumedAt: null,
    resuming: false,
    ...more,
  });
  const look = (
    webhooks: readonly WatchedWebhook[],
    own: Webhook[],
    now: number,
    absent: readonly AbsentWebhook[] = [],
  ) => lookAtWebhooks({ webhooks, absent }, own, now);
  const disabled = (since: number | null): WatchedWebhook => watched({ status: 'disabled', disabledSince: since });

  test('takes it from Instantly since when one is disabled, and from the clock where that is not told', () => {
    const at = new Date(NOW - DAY_MS).toISOString();
    const seen = (own: Webhook, before: WatchedWebhook[] = []) => look(before, [own], NOW).webhooks;
    expect(seen(webhook({ status: -1, timestamp_error: at }))).toEqual([disabled(NOW - DAY_MS)]);
    expect(seen(webhook({ status: -1, timestamp_error: 'some day' }))).toEqual([disabled(NOW)]);
    expect(seen(webhook({ status: -1 }))).toEqual([disabled(NOW)]);
    const [byOurs] = lookAtWebhooks(
      { webhooks: [], absent: [] },
      [webhook({ status: -1, timestamp_error: at })],
      NOW,
      -HOUR_MS,
    ).webhooks;
    expect(byOurs?.disabledSince).toBe(NOW - DAY_MS + HOUR_MS);
    // What is known already stays.
    expect(seen(webhook({ status: -1, timestamp_error: at }), [disabled(NOW - 2 * DAY_MS)])).toEqual([
      disabled(NOW - 2 * DAY_MS),
    ]);
  });

  test('finds those that are back, whoever resumed them', () => {
    const before = [disabled(NOW - HOUR_MS), watched({ id: 'other' })];
    const { webhooks, back } = look(before, [webhook({ status: 1 }), webhook({ id: 'other', status: 1 })], NOW);
    expect(webhooks).toEqual([watched(), watched({ id: 'other' })]);
    expect(back).toEqual([disabled(NOW - HOUR_MS)]);
    expect(fetchAllFrom(back, NOW)).toBe(NOW - 2 * HOUR_MS);
    expect(fetchAllFrom([], NOW)).toBeNull();
  });

  test('forgets no spell because of one answer that does not tell the status', () => {
    const first = look([disabled(NOW - HOUR_MS)], [webhook()], NOW);
    expect(first.webhooks).toMatchObject([{ status: 'unknown', disabledSince: NOW - HOUR_MS }]);
    expect(first.back).toEqual([]);
    const second = look(first.webhooks, [webhook({ status: 2 })], NOW + MINUTE_MS);
    expect(second.webhooks).toMatchObject([{ status: 'unknown', disabledSince: NOW - HOUR_MS }]);
    const third = look(second.webhooks, [webhook({ status: 1 })], NOW + 2 * MINUTE_MS);
    expect(third.back).toMatchObject([{ id: 'one', disabledSince: NOW - HOUR_MS }]);
    expect(third.webhooks).toEqual([watched()]);
    // One that was never disabled has no spell.
    expect(look([watched()], [webhook()], NOW).webhooks).toMatchObject([{ disabledSince: null }]);
  });

  test('remembers resumptions until all has been in order for a day', () => {
    const before = [watched({ resumes: 3, resumedAt: NOW - DAY_MS + 1 })];
    const seen = (status: number, now: number) => look(before, [webhook({ status })], now).webhooks[0];
    expect(seen(1, NOW)).toMatchObject({ resumes: 3 });
    expect(seen(1, NOW + 1)).toMatchObject({ resumes: 0, resumedAt: null });
    expect(seen(-1, NOW + DAY_MS)).toMatchObject({ resumes: 3 });
  });

  test('goes by our clock where Instantly says that one was disabled later than now', () => {
    const at = new Date(NOW + HOUR_MS).toISOString();
    expect(look([], [webhook({ status: -1, timestamp_error: at })], NOW).webhooks).toEqual([disabled(NOW)]);
  });

  test('begins the count of resumptions anew where somebody else had it resumed', () => {
    const before = watched({
      status: 'disabled',
      disabledSince: NOW - HOUR_MS,
      resumes: 5,
      resumedAt: NOW - DAY_MS / 2,
    });
    expect(look([before], [webhook({ status: 1 })], NOW).webhooks).toEqual([watched()]);
    // Killed when we were at it, we do not know better than that it was us.
    const [ours] = look([{ ...before, resuming: true }], [webhook({ status: 1 })], NOW).webhooks;
    expect(ours).toEqual(watched({ resumes: 5, resumedAt: NOW - DAY_MS / 2 }));
    const [still] = look([{ ...before, resuming: true }], [webhook({ status: -1 })], NOW).webhooks;
    expect(still).toEqual({ ...before, resuming: true });
  });

  test('keeps for a week what is known of one that is not listed', () => {
    const before = watched({ status: 'disabled', disabledSince: NOW - HOUR_MS, resumes: 3, resumedAt: NOW - HOUR_MS });
    const gone = look([before], [], NOW);
    expect(gone).toEqual({ webhooks: [], absent: [{ ...before, absentSince: NOW }], back: [] });
    const still = look([], [], NOW + DAY_MS, gone.absent);
    expect(still.absent).toEqual(gone.absent);
    const again = look([], [webhook({ status: -1 })], NOW + DAY_MS, still.absent);
    expect(again).toEqual({ webhooks: [before], absent: [], back: [] });
    expect(look([], [webhook({ status: 1 })], NOW + DAY_MS, still.absent).back).toMatchObject([{ id: 'one' }]);
    expect(look([], [], NOW + 7 * DAY_MS, gone.absent).absent).toEqual([]);
    const many = Array.from({ length: 30 }, (_, n) => watched({ id: `${n}` }));
    expect(look(many, [], NOW).absent).toHaveLength(20);
  });
});
