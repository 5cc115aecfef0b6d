import type { DailyAnalytics } from './schemas.ts';
import type { WatchState } from './watch-state.ts';

type Silence = WatchState['silence'];

/** Emails that campaigns have sent without one event of any kind, from which on that is no chance. */
export const SILENT_FROM = 20;

/**
 * Holds what Instantly says was sent against what arrived. Days are told apart, since the sum of two of them falls at midnight.
 *
 * @param analytics of the last days
 * @param lastEventAt epoch milliseconds of the newest event held; `null`: none is
 */
export function detectSilence(before: Silence, analytics: DailyAnalytics, lastEventAt: number | null): Silence {
  const sent: Record<string, number> = {};
  for (const day of analytics) if (day.date) sent[day.date] = (sent[day.date] ?? 0) + (day.sent ?? 0);
  const hasHeard = lastEventAt !== before.lastEventAt;
  if (!before.looked || hasHeard) return { looked: true, sent, sentSince: 0, lastEventAt };
  const more = Object.entries(sent).reduce((sum, [day, n]) => sum + Math.max(0, n - (before.sent[day] ?? 0)), 0);
  return { looked: true, sent, sentSince: before.sentSince + more, lastEventAt };
}
