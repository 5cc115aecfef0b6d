import type { Webhook } from '../../instantly/schemas.ts';

type Subscription = Pick<Webhook, 'id' | 'name' | 'event_type' | 'custom_interest_value' | 'campaign'>;

/** Pairs of webhooks that are both told of some event. */
export function findTwice<Of extends Subscription>(webhooks: readonly Of[]): [Of, Of][] {
  return webhooks.flatMap((one, index) =>
    webhooks
      .slice(index + 1)
      .filter((other) => shareCampaign(one, other) && shareType(one, other))
      .map((other): [Of, Of] => [one, other]),
  );
}

function shareCampaign({ campaign: one }: Subscription, { campaign: other }: Subscription): boolean {
  return !one || !other || one === other;
}

function shareType(one: Subscription, other: Subscription): boolean {
  if (isToldAll(one) || isToldAll(other)) return true;
  if (one.event_type || other.event_type) return one.event_type === other.event_type;
  return (one.custom_interest_value ?? null) === (other.custom_interest_value ?? null);
}

function isToldAll({ event_type: type }: Subscription): boolean {
  return type === 'all_events';
}
