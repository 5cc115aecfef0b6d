import { parseTimestamp } from '../events/parse-timestamp.ts';
import { statusOf } from './describe-webhook.ts';
import { afterGoodOrder } from './resume-policy.ts';
import type { Webhook } from './schemas.ts';
import type { WatchedWebhook } from './watch-state.ts';

/** Milliseconds before a webhook was disabled from which on everything is fetched back: the failures that led to it. */
const BEFORE_MS = 3_600_000;

export interface Look {
  readonly webhooks: readonly WatchedWebhook[];
  /** Those that were disabled when their status was last known, and are active now, whoever resumed them. */
  readonly back: readonly WatchedWebhook[];
}

/** @param own our webhooks as Instantly tells of them now */
export function lookAtWebhooks(before: readonly WatchedWebhook[], own: readonly Webhook[], now: number): Look {
  const webhooks = own.map((webhook): WatchedWebhook => {
    const known = before.find(({ id }) => id === webhook.id);
    const status = statusOf(webhook);
    const resumed = { resumes: known?.resumes ?? 0, resumedAt: known?.resumedAt ?? null };
    const said = webhook.timestamp_error ? parseTimestamp(webhook.timestamp_error) : null;
    return {
      id: webhook.id,
      name: webhook.name ?? null,
      status,
      // One answer that does not tell the status ends no spell.
      disabledSince:
        status === 'active' ? null : (known?.disabledSince ?? (status === 'disabled' ? (said ?? now) : null)),
      ...(status === 'active' ? afterGoodOrder(resumed, now) : resumed),
    };
  });
  const back = before.filter(
    ({ id, disabledSince }) =>
      disabledSince !== null && webhooks.some((one) => one.id === id && one.status === 'active'),
  );
  return { webhooks, back };
}

/** From when on everything has to be fetched back because these were disabled; `null`: nothing has. */
export function fetchAllFrom(back: readonly WatchedWebhook[], now: number): number | null {
  const since = back.map(({ disabledSince }) => disabledSince ?? now);
  return since.length === 0 ? null : Math.min(...since) - BEFORE_MS;
}
