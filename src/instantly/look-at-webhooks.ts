import { parseTimestamp } from '../events/parse-timestamp.ts';
import { statusOf } from './describe-webhook.ts';
import { afterGoodOrder } from './resume-policy.ts';
import type { Webhook } from './schemas.ts';
import type { AbsentWebhook, WatchedWebhook } from './watch-state.ts';

/** Milliseconds before a webhook was disabled from which on everything is fetched back: the failures that led to it. */
const BEFORE_MS = 3_600_000;
/** Milliseconds that one which Instantly lists no more is remembered, and how many of them are. */
const ABSENT_MS = 7 * 86_400_000;
const MAX_ABSENT = 20;

export interface Look {
  readonly webhooks: readonly WatchedWebhook[];
  readonly absent: readonly AbsentWebhook[];
  /** Those that were disabled when their status was last known, and are active now, whoever resumed them. */
  readonly back: readonly WatchedWebhook[];
}

/**
 * @param before as they were, and those that were absent
 * @param own our webhooks as Instantly tells of them now
 * @param clockAheadMs Instantly's clock minus ours
 */
export function lookAtWebhooks(
  before: { readonly webhooks: readonly WatchedWebhook[]; readonly absent: readonly AbsentWebhook[] },
  own: readonly Webhook[],
  now: number,
  clockAheadMs = 0,
): Look {
  const known = [...before.webhooks, ...before.absent];
  const webhooks = own.map((webhook) =>
    lookAt(
      known.find(({ id }) => id === webhook.id),
      webhook,
      now,
      clockAheadMs,
    ),
  );
  const back = known.filter(
    ({ id, disabledSince }) =>
      disabledSince !== null && webhooks.some((one) => one.id === id && one.status === 'active'),
  );
  const absent = known
    .filter(({ id }) => !own.some((webhook) => webhook.id === id))
    .map((one): AbsentWebhook => ({ absentSince: now, ...one }))
    .filter(({ absentSince }) => now - absentSince < ABSENT_MS)
    .slice(0, MAX_ABSENT);
  return { webhooks, absent, back };
}

function lookAt(
  known: WatchedWebhook | undefined,
  webhook: Webhook,
  now: number,
  clockAheadMs: number,
): WatchedWebhook {
  const status = statusOf(webhook);
  const facts = { id: webhook.id, name: webhook.name ?? null, status };
  const resumed = {
    resumes: known?.resumes ?? 0,
    resumedAt: known?.resumedAt ?? null,
    resuming: known?.resuming === true && status !== 'active',
  };
  if (status !== 'active') {
    const theirs = webhook.timestamp_error ? parseTimestamp(webhook.timestamp_error) : null;
    // By our clock, which is known to a second or two: what has not been yet could not be fetched back.
    const said = theirs === null ? now : Math.min(theirs - clockAheadMs, now);
    // One answer that does not tell the status ends no spell.
    const disabledSince = known?.disabledSince ?? (status === 'disabled' ? said : null);
    return { ...facts, disabledSince, ...resumed };
  }
  // Where somebody had it resumed, who has seen to its cause, we may do so again.
  const isByOther = known !== undefined && known.disabledSince !== null && !known.resuming;
  const counted = isByOther ? { resumes: 0, resumedAt: null, resuming: false } : resumed;
  return { ...facts, disabledSince: null, ...counted, ...afterGoodOrder(counted, now) };
}

/** From when on everything has to be fetched back because these were disabled; `null`: nothing has. */
export function fetchAllFrom(back: readonly WatchedWebhook[], now: number): number | null {
  const since = back.map(({ disabledSince }) => disabledSince ?? now);
  return since.length === 0 ? null : Math.min(...since) - BEFORE_MS;
}
