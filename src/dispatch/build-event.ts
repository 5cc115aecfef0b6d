import type { HandlerContext } from '../events/define-handler.ts';
import { parseBody } from '../events/parse-body.ts';
import type { InstantlyEvent } from '../events/types.ts';
import type { ClaimedDelivery } from '../inbox/store.ts';

/** What the running thread adds to what the store knows. */
export type RunTools = Pick<HandlerContext, 'logger' | 'signal'>;

export interface HandlerArguments {
  readonly event: InstantlyEvent;
  readonly context: HandlerContext;
}

/**
 * Parsed here, in the handler's thread: a payload may be nested so deeply that passing it from thread to thread
 * overflows the stack, and parsing megabytes is no work for the thread that answers.
 */
export function buildEvent(delivery: ClaimedDelivery, tools: RunTools): HandlerArguments {
  const body = parseBody(delivery.body);
  if (!body.ok) throw new TypeError('the stored body is not a JSON object');
  const event = {
    id: delivery.eventId,
    type: delivery.type,
    rawType: delivery.rawType,
    receivedAt: new Date(delivery.receivedAt),
    timestamp: delivery.timestamp === null ? undefined : new Date(delivery.timestamp),
    lead: delivery.lead ?? undefined,
    payload: body.payload,
  };
  const context: HandlerContext = {
    ...tools,
    payload: body.payload,
    rawBody: delivery.body,
    attempt: delivery.attempt,
    idempotencyKey: `${delivery.eventId}:${delivery.handler}`,
    outOfOrder: delivery.outOfOrder,
    replay: delivery.replay,
  };
  // The type names the payload's shape, which is the sender's promise: `payload` is typed so, and said to be unchecked.
  return { event: event as InstantlyEvent, context };
}
