import { isUtf8 } from 'node:buffer';

export type ParsedBody = ReadableBody | UnreadableBody;

/** A body that is a JSON object. */
export interface ReadableBody {
  readonly ok: true;
  /** What JSON.parse gave. */
  readonly payload: Record<string, unknown>;
  /** What JSON.parse was given: the bytes decoded, without a byte order mark. */
  readonly text: string;
  /** Whether every byte could be decoded; otherwise `text` holds replacement characters, and other bytes could read alike. */
  readonly exact: boolean;
  /** As they came. */
  readonly bytes: Uint8Array;
  /** The WHATWG name of the character set they were decoded by; `null`: UTF-8. */
  readonly charset: string | null;
}

/** Why no event can be read from a proven body. */
export type UnreadableReason =
  | 'not-json'
  | 'not-an-object'
  | 'not-unpackable'
  | 'body-too-large'
  | 'unsupported-encoding';

export interface UnreadableBody {
  readonly ok: false;
  readonly reason: Extract<UnreadableReason, 'not-json' | 'not-an-object'>;
}

/** What is found in a body whose text is an object. */
export interface FoundObject<Found> extends Omit<ReadableBody, 'payload'> {
  readonly found: Found;
}

/**
 * Reads the raw body of a delivery. Never throws: whatever is not a JSON object is told by `reason`. A body that is no JSON
 * object in its character set is read as UTF-8, since senders name one without knowing.
 *
 * @param charset as `readCharset` returns it
 */
export function parseBody(bytes: Uint8Array, charset: string | null = null): ParsedBody {
  const read = findObject(bytes, charset, parseObject);
  if (!read.ok) return read;
  const { found: payload, text, exact } = read;
  return { ok: true, payload, text, exact, bytes, charset: read.charset };
}

/**
 * Decodes a body as {@link parseBody} does and looks for an object in its text.
 *
 * @param find returns why there is none
 */
export function findObject<Found extends object>(
  bytes: Uint8Array,
  charset: string | null,
  find: (text: string) => Found | UnreadableBody['reason'],
): FoundObject<Found> | UnreadableBody {
  if (charset !== null) {
    for (const label of charsetsToTry(charset, bytes)) {
      const text = decodeBy(label, bytes, false);
      const found = text === undefined ? undefined : find(text);
      if (text === undefined || typeof found !== 'object') continue;
      const exact = decodeBy(label, bytes, true) !== undefined;
      return { ok: true, found, text, exact, bytes, charset: label };
    }
  }
  const text = decodeUtf8(bytes);
  const found = find(text);
  if (typeof found !== 'object') return { ok: false, reason: found };
  return { ok: true, found, text, exact: isUtf8(bytes), bytes, charset: null };
}

/** The text of a body that nothing is known of but its character set. */
export function decodeBody(bytes: Uint8Array, charset: string | null): string {
  return (charset === null ? undefined : decodeBy(charset, bytes, false)) ?? decodeUtf8(bytes);
}

/**
 * The character set that a `Content-Type` names, quoted or not, by its WHATWG name.
 *
 * @returns `null` where it is UTF-8, none or unknown
 */
export function readCharset(contentType: string | null): string | null {
  // Nearly all say nothing of it.
  if (contentType === null || !/charset/i.test(contentType)) return null;
  const [, quoted, single, bare] = /;\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']+))/i.exec(contentType) ?? [];
  try {
    const { encoding } = new TextDecoder((quoted ?? single ?? bare ?? 'utf-8').trim());
    return encoding === 'utf-8' ? null : encoding;
  } catch {
    // A label that no encoding has.
    return null;
  }
}

/** A byte order mark is surer than a header; without one, UTF-16 of either order is told by which one is JSON. */
function charsetsToTry(charset: string, [first, second]: Uint8Array): readonly string[] {
  if (first === 0xef && second === 0xbb) return [];
  if (first === 0xfe && second === 0xff) return ['utf-16be'];
  if (first === 0xff && second === 0xfe) return ['utf-16le'];
  if (charset === 'utf-16le') return ['utf-16le', 'utf-16be'];
  return [charset];
}

/** @returns `undefined` where `fatal` and a byte stands for nothing */
function decodeBy(label: string, bytes: Uint8Array, fatal: boolean): string | undefined {
  try {
    return new TextDecoder(label, { fatal }).decode(bytes);
  } catch {
    return undefined;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const skip = marked ? 3 : 0;
  // Buffer rather than TextDecoder: it yields a one-byte string for ASCII, which everything after reads twice as fast.
  return Buffer.from(bytes.buffer, bytes.byteOffset + skip, bytes.byteLength - skip).toString('utf8');
}

function parseObject(text: string): Record<string, unknown> | UnreadableBody['reason'] {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : 'not-an-object';
  } catch {
    return 'not-json';
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
