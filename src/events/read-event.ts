import { canonicalType, UNKNOWN_TYPE } from './names.ts';
import { payloadSchema } from './schema.ts';

/** What the receiver knows of an event besides its body. */
export interface EventFacts {
  /** Canonical type, the custom label as it came, or {@link UNKNOWN_TYPE}. */
  readonly type: string;
  /** `event_type` as it came; `null` where it is absent, blank or not a string. */
  readonly rawType: string | null;
  /** Epoch milliseconds by the payload's own clock. */
  readonly timestamp: number | null;
  /** The lead's address, trimmed and lower-cased. */
  readonly lead: string | null;
  readonly campaignId: string | null;
}

/** Reads the few fields the receiver needs. Never refuses a payload: a field that is absent or unusable is `null`. */
export function readEvent(payload: Readonly<Record<string, unknown>>): EventFacts {
  const fields = payloadSchema.parse(payload);
  return {
    type: fields.event_type === null ? UNKNOWN_TYPE : canonicalType(fields.event_type),
    rawType: fields.event_type,
    timestamp: fields.timestamp,
    lead: fields.lead_email,
    campaignId: fields.campaign_id,
  };
}
