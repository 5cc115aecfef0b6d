/** Checked by `tsc`: each error expected here must occur, and nothing else may. */
import type { CanonicalType } from '../../src/events/names.ts';
import type { CustomLabel, EventOf, InstantlyEvent } from '../../src/events/types.ts';

/** Compiles only where both types are one and the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function same<A, B>(_equal: Same<A, B>): void {
  // Nothing to do when it runs: the parameter's type is the test.
}

export function narrowsTheWholeUnion(event: InstantlyEvent): void {
  if (event.type === 'reply_received') {
    same<typeof event, EventOf<'reply_received'>>(true);
    same<typeof event.payload.reply_text, string | undefined>(true);
  } else if (event.type === 'unknown') {
    same<typeof event, EventOf<'unknown'>>(true);
    same<typeof event.rawType, string | null>(true);
  }

  // @ts-expect-error TS2367: no event has this type; it is a common misspelling of reply_received.
  if (event.type === 'email_replied') return;

  same<typeof event.payload.reply_text, unknown>(true);
  // @ts-expect-error TS2322: not every event has a reply, so what is found under its name may be anything.
  const text: string | undefined = event.payload.reply_text;
  void text;

  // @ts-expect-error TS2367: a label's text is in `rawType`; `type` is for telling events apart.
  if (event.type === 'Asked for pricing') return;
}

export function narrowsInASwitch(event: InstantlyEvent): string | undefined {
  switch (event.type) {
    case 'reply_received':
    case 'auto_reply_received':
      return event.payload.reply_text;
    case 'email_sent':
      return event.payload.email_subject;
    case 'account_error':
      return event.payload.email_account;
    default:
      return event.rawType ?? undefined;
  }
}

export function takesLabelsAsStrings(event: InstantlyEvent): string {
  if (event.rawType === 'Asked for pricing') return event.type;
  return event.type;
}

export function everyEventHasTheSameFrame(event: InstantlyEvent): void {
  same<typeof event.id, string>(true);
  same<typeof event.receivedAt, Date>(true);
  same<typeof event.timestamp, Date | undefined>(true);
  same<typeof event.lead, string | undefined>(true);
  // @ts-expect-error TS2540: an event is a record of what happened.
  event.lead = 'someone@else.example';
}

export function typesThePayload(
  reply: EventOf<'reply_received'>,
  fault: EventOf<'account_error'>,
  labelled: EventOf<'Asked for pricing'>,
): void {
  same<typeof reply.payload.step, number | undefined>(true);
  same<typeof reply.payload.is_first, boolean | undefined>(true);
  same<(typeof reply.payload)['firstName'], unknown>(true);
  // @ts-expect-error TS4111: a lead variable is nothing Instantly documents, so it must be asked for by index.
  void reply.payload.firstName;

  same<(typeof fault.payload)['reply_text'], unknown>(true);
  same<(typeof fault.payload)['lead_email'], unknown>(true);
  // @ts-expect-error TS4111: an account's fault has no reply.
  void fault.payload.reply_text;
  // @ts-expect-error TS2322: what a lead variable of that name holds is unknown.
  const text: string | undefined = fault.payload['reply_text'];
  void text;

  same<typeof labelled.type, CustomLabel>(true);
  same<typeof labelled.rawType, 'Asked for pricing'>(true);
  same<typeof labelled.payload.lead_email, string | undefined>(true);
}

export function mapsNamesToEvents(): void {
  same<EventOf<CanonicalType>['type'], CanonicalType>(true);
  same<EventOf<'*'>, InstantlyEvent>(true);
  same<EventOf<string>, InstantlyEvent>(true);
  same<EventOf<'link_clicked'>, EventOf<'email_link_clicked'>>(true);
  same<EventOf<'email_sent' | 'lead_closed'>['type'], 'email_sent' | 'lead_closed'>(true);
}

export function theUnionIsComplete(event: InstantlyEvent): void {
  // @ts-expect-error TS2322: labels and unknown events are in the union as well.
  const type: CanonicalType = event.type;
  void type;
}
