import { z } from 'zod';
import { parseTimestamp } from './parse-timestamp.ts';

/** UTF-16 units kept of an event type; a label is somebody's free text and becomes a column, an index key and a route. */
const MAX_TYPE_LENGTH = 256;

/** The longest address RFC 5321 allows (64 + @ + 255). */
const MAX_ADDRESS_LENGTH = 320;

const MAX_ID_LENGTH = 256;

/** Absent and of the wrong type are alike: Instantly promises neither, and no payload is refused for a field. */
const optionalText = z.string().optional().catch(undefined);

/** What the receiver itself reads of a payload. All of it may be absent; the other fields stay as they are in the body. */
export const payloadSchema = z.object({
  event_type: optionalText.transform((text) => (text === undefined || text.trim() === '' ? null : storable(cut(text)))),
  timestamp: z.unknown().optional().transform(parseTimestamp),
  lead_email: optionalText.transform((text) => bounded(text?.trim().toLowerCase(), MAX_ADDRESS_LENGTH)),
  campaign_id: optionalText.transform((text) => bounded(text?.trim(), MAX_ID_LENGTH)),
});

/** Cut at a length that leaves no half of a surrogate pair. */
function cut(text: string): string {
  if (text.length <= MAX_TYPE_LENGTH) return text;
  const splitsPair = (text.codePointAt(MAX_TYPE_LENGTH - 1) ?? 0) > 0xffff;
  return text.slice(0, splitsPair ? MAX_TYPE_LENGTH - 1 : MAX_TYPE_LENGTH);
}

function bounded(text: string | undefined, length: number): string | null {
  return text === undefined || text === '' || text.length > length ? null : storable(text);
}

/** No database column holds a lone surrogate, and PostgreSQL refuses U+0000: one such field must not fail a whole commit. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
