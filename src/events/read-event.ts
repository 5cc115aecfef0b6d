import { canonicalType, UNKNOWN_TYPE } from './names.ts';
import { parseTimestamp } from './parse-timestamp.ts';

/** UTF-16 units kept of an event type; a label is somebody's free text and becomes a column, an index key and a route. */
const MAX_TYPE_LENGTH = 256;

/** The longest address RFC 5321 allows (64 + @ + 255). */
const MAX_ADDRESS_LENGTH = 320;

const MAX_ID_LENGTH = 256;

/** Types whose events have no lead: an `email` of theirs is a mailbox of the workspace. */
const WITHOUT_LEAD: ReadonlySet<string> = new Set(['account_error', 'campaign_completed']);

/** Members of a payload that {@link readEvent} looks at. */
export const FACT_NAMES: ReadonlySet<string> = new Set([
  'event_type',
  'timestamp',
  'lead_email',
  'email',
  'email_account',
  'campaign_id',
  'campaign',
]);

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
  /** `campaign_id`; where there is none `campaign`, which may be a name. */
  readonly campaignId: string | null;
}

/**
 * Reads the few fields the receiver needs. Never refuses a payload: a field that is absent or unusable is `null`. No schema of a
 * library, which took a twentieth of a request for four fields of which all may be missing.
 */
export function readEvent(payload: Readonly<Record<string, unknown>>): EventFacts {
  const { event_type: type, timestamp, campaign_id: campaignId, campaign } = payload;
  const rawType = typeof type === 'string' && type.trim() !== '' ? storable(cut(type)) : null;
  return {
    type: rawType === null ? UNKNOWN_TYPE : canonicalType(rawType),
    rawType,
    timestamp: parseTimestamp(timestamp),
    lead: readLead(payload, rawType),
    campaignId: readId(campaignId) ?? readId(campaign),
  };
}

/** By some accounts `email` stands in for `lead_email`. */
function readLead(payload: Readonly<Record<string, unknown>>, rawType: string | null): string | null {
  const { lead_email: lead, email, email_account: mailbox } = payload;
  const named = readAddress(lead);
  if (named !== null || email === undefined || (rawType !== null && WITHOUT_LEAD.has(rawType))) return named;
  const other = readAddress(email);
  return other?.includes('@') && other !== readAddress(mailbox) ? other : null;
}

function readAddress(value: unknown): string | null {
  return typeof value === 'string' ? bounded(value.trim().toLowerCase(), MAX_ADDRESS_LENGTH) : null;
}

function readId(value: unknown): string | null {
  return typeof value === 'string' ? bounded(value.trim(), MAX_ID_LENGTH) : null;
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
