import { parseTimestamp } from '../events/parse-timestamp.ts';
import type { WebhookEvent } from './schemas.ts';

/** Of the attempts of one delivery. */
export function groupOf({ id, retry_group_id: group }: WebhookEvent): string {
  return group ?? id;
}

/** Epoch milliseconds; `undefined`: it does not say when it was made, so that it may be of any time. */
export function timeOf({ timestamp_created: created }: WebhookEvent): number | undefined {
  return (created && parseTimestamp(created)) || undefined;
}

export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
