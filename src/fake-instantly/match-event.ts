import { canonicalType, isCanonicalType } from '../events/names.ts';
import type { JsonObject, Label, Webhook } from './shapes.ts';

/** Whether a webhook, active or not, is subscribed to what a payload tells. */
export function matchesEvent(webhook: Webhook, payload: JsonObject, labels: readonly Label[]): boolean {
  if (webhook.campaign !== null && payload['campaign_id'] !== webhook.campaign) return false;
  if (webhook.event_type === 'all_events') return true;
  const raw = payload['event_type'];
  if (typeof raw !== 'string') return false;
  const type = canonicalType(raw);
  if (webhook.event_type !== null && webhook.event_type === type) return true;
  if (webhook.custom_interest_value === null || isCanonicalType(type)) return false;
  return labels.some(({ label, interest_status: value }) => label === raw && value === webhook.custom_interest_value);
}
