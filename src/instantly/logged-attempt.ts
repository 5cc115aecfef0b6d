import { parseTimestamp } from '../events/parse-timestamp.ts';
import type { WebhookEvent } from './schemas.ts';

/** Of the attempts of one delivery. */
export function groupOf({ id, retry_group_id: group }: WebhookEvent): string {
  return group ?? id;
}

/** Epoch milliseconds; one that does not say when it was made is as new as can be, so that it is looked at. */
export function timeOf({ timestamp_created: created }: WebhookEvent): number {
  return (created && parseTimestamp(created)) || Date.now();
}

export function isNewestFirst(items: readonly WebhookEvent[]): boolean {
  const times = items.map(timeOf);
  return times.every((time, index) => index === 0 || time <= (times[index - 1] ?? time));
}

export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
