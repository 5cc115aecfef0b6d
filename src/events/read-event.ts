import { canonicalType, UNKNOWN_TYPE } from './names.ts';
import { parseTimestamp } from './parse-timestamp.ts';

/** UTF-16 units kept of an event type; a label is somebody's free text and becomes a column, an index key and a route. */
const MAX_TYPE_LENGTH = 256;

/** The longest address RFC 5321 allows (64 + @ + 255). */
const MAX_ADDRESS_LENGTH = 320;

const MAX_ID_LENGTH = 256;

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

/**
 * Reads the few fields the receiver needs. Never refuses a payload: a field that is absent or unusable is `null`. No schema of a
 * library, which took a twentieth of a request for four fields of which all may be missing.
 */
export function readEvent(payload: Readonly<Record<string, unknown>>): EventFacts {
  const { event_type: type, timestamp, lead_email: lead, campaign_id: campaignId } = payload;
  const rawType = typeof type === 'string' && type.trim() !== '' ? storable(cut(type)) : null;
  return {
    type: rawType === null ? UNKNOWN_TYPE : canonicalType(rawType),
    rawType,
    timestamp: parseTimestamp(timestamp),
    lead: typeof lead === 'string' ? bounded(lead.trim().toLowerCase(), MAX_ADDRESS_LENGTH) : null,
    campaignId: typeof campaignId === 'string' ? bounded(campaignId.trim(), MAX_ID_LENGTH) : null,
  };
}

/** Cut at a length that leaves no half of a surrogate pair. */
function cut(text: string): string {
  if (text.length <= MAX_TYPE_LENGTH) return text;
  const splitsPair = (text.codePointAt(MAX_TYPE_LENGTH - 1) ?? 0) > 0xffff;
  return text.slice(0, splitsPair ? MAX_TYPE_LENGTH - 1 : MAX_TYPE_LENGTH);
}

function bounded(text: string, length: number): string | null {
  return text === '' || text.length > length ? null : storable(text);
}

/** No database column holds a lone surrogate, and PostgreSQL refuses U+0000: one such field must not fail a whole commit. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
