import type { HandlerContext } from '../events/define-handler.ts';
import { parseBody, type ReadableBody } from '../events/parse-body.ts';
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
  const body = parseBody(delivery.body, delivery.charset);
  if (!body.ok) throw new TypeError('the stored body is not a JSON object');
  removePrototypeKeys(body);
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

/**
 * A sender can name a member `__proto__`, and code that copies members (`Object.assign`, a deep merge) would take it for the
 * prototype; `constructor` with a `prototype` in it leads there as well. Without recursion, since a payload may be nested
 * as deeply as it is long.
 */
function removePrototypeKeys({ payload, text }: ReadableBody): void {
  // Either may be written with escapes.
  if (!/__proto__|"prototype"|\\u/.test(text)) return;
  const open: object[] = [payload];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    Reflect.deleteProperty(value, '__proto__');
    if (!Array.isArray(value) && leadsToPrototype(value)) Reflect.deleteProperty(value, 'constructor');
    for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) open.push(member);
  }
}

function leadsToPrototype(value: object): boolean {
  const member: unknown = Object.getOwnPropertyDescriptor(value, 'constructor')?.value;
  return typeof member === 'object' && member !== null && Object.hasOwn(member, 'prototype');
}
