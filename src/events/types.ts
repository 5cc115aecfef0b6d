import type { CanonicalType, TypeAlias, UNKNOWN_TYPE } from './names.ts';
import type { LeadPayload, PayloadOf, UnknownPayload } from './payloads.ts';

/**
 * `type` of an event that carries a workspace's custom label: a string, namely the label's text, which no list of names
 * can hold. A plain or branded `string` in the union would match every name, and `event.type === 'reply_received'`
 * would no longer narrow; a member of an enum matches none. Compare `event.rawType` with a label's text.
 */
declare enum CustomLabel {
  // Never seen when anything runs: the enum exists for the compiler only.
  text = 'the text of a custom label',
}

export type { CustomLabel };

interface EventShape<T extends string, R extends string | null, P> {
  /** UUID v7, given by the receiver. */
  readonly id: string;
  readonly type: T;
  /** `event_type` as it came. */
  readonly rawType: R;
  readonly receivedAt: Date;
  /** By the payload's own clock; `undefined` where it does not tell a usable time. */
  readonly timestamp: Date | undefined;
  /** The lead's address, trimmed and lower-cased. */
  readonly lead: string | undefined;
  /** As it came, unchecked. */
  readonly payload: P;
}

export type CanonicalEvent<T extends CanonicalType> = EventShape<T, string, PayloadOf<T>>;

export type CustomLabelEvent<L extends string = string> = EventShape<CustomLabel, L, LeadPayload>;

/** An event whose payload has no usable `event_type`. */
export type UnknownEvent = EventShape<typeof UNKNOWN_TYPE, string | null, UnknownPayload>;

/** Any event, told apart by `type`. */
export type InstantlyEvent =
  | { [T in CanonicalType]: CanonicalEvent<T> }[CanonicalType]
  | CustomLabelEvent
  | UnknownEvent;

/** The event of a name as a handler lists it: a canonical type, Instantly's alias of one, `*`, or a label's text. */
export type EventOf<T extends string> = T extends '*'
  ? InstantlyEvent
  : T extends CanonicalType
    ? CanonicalEvent<T>
    : T extends TypeAlias
      ? CanonicalEvent<'email_link_clicked'>
      : T extends typeof UNKNOWN_TYPE
        ? UnknownEvent
        : string extends T
          ? InstantlyEvent
          : CustomLabelEvent<T>;
