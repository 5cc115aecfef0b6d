import { isUtf8 } from 'node:buffer';

export type ParsedBody = ReadableBody | UnreadableBody;

/** A body that is a JSON object. */
export interface ReadableBody {
  readonly ok: true;
  /** What JSON.parse gave. */
  readonly payload: Record<string, unknown>;
  /** What JSON.parse was given: the bytes decoded, without a byte order mark. */
  readonly text: string;
  /** Whether the bytes are valid UTF-8; otherwise `text` holds replacement characters, and other bytes could read alike. */
  readonly exact: boolean;
  /** As they came. */
  readonly bytes: Uint8Array;
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

/** Reads the raw body of a delivery. Never throws: whatever is not a JSON object is told by `reason`. */
export function parseBody(bytes: Uint8Array): ParsedBody {
  const text = decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not-json' };
  }
  if (!isObject(value)) return { ok: false, reason: 'not-an-object' };
  return { ok: true, payload: value, text, exact: isUtf8(bytes), bytes };
}

function decode(bytes: Uint8Array): string {
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const skip = marked ? 3 : 0;
  // Buffer rather than TextDecoder: it yields a one-byte string for ASCII, which everything after reads twice as fast.
  return Buffer.from(bytes.buffer, bytes.byteOffset + skip, bytes.byteLength - skip).toString('utf8');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
