import type { WatchedWebhook } from './watch-state.ts';

const MINUTE_MS = 60_000;

/** Milliseconds from one resumption to the next, while Instantly disables the webhook again and again: something is wrong with the
 * receiver or the way to it then, and more failures help nobody. */
const PAUSES_MS = [10, 30, 120, 360].map((minutes) => minutes * MINUTE_MS);
/** Milliseconds of good order after which the count begins anew. */
const FORGOTTEN_AFTER_MS = 24 * 60 * MINUTE_MS;

export type ResumeVerdict = 'resume' | 'wait' | 'give-up';

type Resumes = Pick<WatchedWebhook, 'resumes' | 'resumedAt'>;

/** Whether a webhook that is disabled is to be resumed now. */
export function judgeResume({ resumes, resumedAt }: Resumes, now: number): ResumeVerdict {
  if (resumes === 0 || resumedAt === null) return 'resume';
  const pause = PAUSES_MS[resumes - 1];
  if (pause === undefined) return 'give-up';
  return now - resumedAt >= pause ? 'resume' : 'wait';
}

/** What is remembered of the resumptions of a webhook that is active. */
export function afterGoodOrder({ resumes, resumedAt }: Resumes, now: number): Resumes {
  const isForgotten = resumedAt !== null && now - resumedAt >= FORGOTTEN_AFTER_MS;
  return isForgotten ? { resumes: 0, resumedAt: null } : { resumes, resumedAt };
}
