import type { CanonicalType, UNKNOWN_TYPE } from './names.ts';
import type { EventOf, InstantlyEvent } from './types.ts';

/** What a handler may list: a canonical type, `*` for all, `unknown`, or the text of a custom label. */
export type HandlerEventName =
  | CanonicalType
  | '*'
  | typeof UNKNOWN_TYPE
  // The empty intersection keeps editors proposing the names above, which a plain `string` would swallow.
  | (string & Record<never, never>);

/** The default export of a handler file; without arguments, any handler. */
export interface HandlerDefinition<E = InstantlyEvent, N extends string = string> {
  /** Unique among the handlers, and the same from release to release: deliveries are kept under it. */
  readonly name: string;
  /** Canonical types, texts of custom labels, `unknown`, or `*` for all. */
  readonly events: readonly N[];
  /** Whether deliveries for one lead wait for each other. Default: true. */
  readonly ordered?: boolean;
  /** Whether its thread may be ended after a minute without deliveries, with all that the module keeps. Default: false. */
  readonly idle?: boolean;
  /** Called at least once for each event. A throw or a rejection means: try again later. */
  handle(event: E, context: HandlerContext): unknown;
}

/** A handler of the events it lists, such as `HandlerOf<'reply_received' | 'auto_reply_received'>`. */
export type HandlerOf<N extends HandlerEventName> = HandlerDefinition<EventOf<N>, N>;

export interface HandlerContext {
  /** The payload as it came. */
  readonly payload: Record<string, unknown>;
  /** The bytes as they came. */
  readonly rawBody: Uint8Array;
  readonly logger: HandlerLogger;
  /** Aborted when the handler's time is over or the receiver stops; pass it to whatever takes one. */
  readonly signal: AbortSignal;
  /** From 1, this one counted. */
  readonly attempt: number;
  /** The same for every attempt of one event by one handler, and for no other; hand it to what must not happen twice. */
  readonly idempotencyKey: string;
  /** Whether an earlier delivery for the same lead is still failing. */
  readonly outOfOrder: boolean;
  /** Whether an operator asked for this delivery again. */
  readonly replay: boolean;
}

export interface HandlerLogger {
  readonly debug: HandlerLog;
  readonly info: HandlerLog;
  readonly warn: HandlerLog;
  readonly error: HandlerLog;
}

export interface HandlerLog {
  (message: string): void;
  (fields: object, message?: string): void;
}

/** Gives a handler its types: `event` is what `events` lists. Changes nothing. */
export function defineHandler<const N extends HandlerEventName>(definition: HandlerOf<N>): HandlerOf<N> {
  return definition;
}
