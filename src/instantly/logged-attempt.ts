import { type AuthenticDelivery, restoreLogged } from '../authenticate/index.ts';
import type { ReadEvent } from '../events/interpret-body.ts';
import { parseTimestamp } from '../events/parse-timestamp.ts';
import type { Inbox } from '../inbox/accept.ts';
import type { WebhookEvent } from './schemas.ts';

export interface LoggedEvent {
  readonly delivery: AuthenticDelivery;
  readonly event: ReadEvent;
}

/** Of the attempts of one delivery. */
export function groupOf({ id, retry_group_id: group }: WebhookEvent): string {
  // An empty one would make one delivery of all.
  return group || id;
}

/** Epoch milliseconds; `undefined`: it does not say when it was made, so that it may be of any time. */
export function timeOf({ timestamp_created: created }: WebhookEvent): number | undefined {
  return (created && parseTimestamp(created)) || undefined;
}

export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

/** `undefined`: it holds no JSON object. */
export async function readLogged(
  item: WebhookEvent,
  url: string,
  inbox: Pick<Inbox, 'interpret'>,
): Promise<LoggedEvent | undefined> {
  try {
    const delivery = restoreLogged({ payload: item.payload, webhookUrl: item.webhook_url ?? '' }, url);
    const event = await inbox.interpret(delivery.body, null);
    return event.ok ? { delivery, event } : undefined;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
