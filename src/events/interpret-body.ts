import { MAX_CANONICAL_DEPTH } from './canonical-json.ts';
import { dedupKey, rawKey } from './dedup-key.ts';
import { type JsonOutline, outlineJson } from './outline-json.ts';
import { findObject, parseBody, type UnreadableBody } from './parse-body.ts';
import { type EventFacts, FACT_NAMES, readEvent } from './read-event.ts';

/** Larger bodies are interpreted off the thread that answers: one of this size takes it a few milliseconds. */
export const LARGE_BODY_BYTES = 256 * 1024;

/**
 * Values up to which a large body is parsed and has a canonical form. Events have some 30, and no body of
 * {@link LARGE_BODY_BYTES} has room for more, so that small ones need not be counted. 10 MB of `[0,0,…]` hold 5 million.
 */
export const MAX_VALUES = 200_000;

/** Bytes looked at of a body that could not be interpreted as a whole. */
const SALVAGED_BYTES = 64 * 1024;

/** What is kept of a body beside its bytes. */
export interface ReadEvent {
  readonly facts: EventFacts;
  /** See {@link dedupKey}. */
  readonly dedupKey: Uint8Array;
  /** The WHATWG name of the character set the body was read by; `null`: UTF-8. */
  readonly charset: string | null;
}

export type Interpretation = ({ readonly ok: true } & ReadEvent) | UnreadableBody;

/**
 * Reads facts and deduplication key of a body. They follow from its bytes and its character set alone, so that a retry, an
 * attempt in Instantly's log and a body out of the quarantine meet their delivery.
 *
 * @param charset as `readCharset` returns it
 */
export function interpretBody(bytes: Uint8Array, charset: string | null): Interpretation {
  if (bytes.byteLength > LARGE_BODY_BYTES) return interpretLarge(bytes, charset);
  const body = parseBody(bytes, charset);
  if (!body.ok) return body;
  return { ok: true, facts: readEvent(body.payload), dedupKey: dedupKey(body), charset: body.charset };
}

/** Nothing is built of a payload beyond the limits: its key is over the raw bytes. */
function interpretLarge(bytes: Uint8Array, charset: string | null): Interpretation {
  const read = findObject(bytes, charset, outlineObject);
  if (!read.ok) return read;
  const { found, text, exact } = read;
  const base = { ok: true, facts: readEvent(found.members), charset: read.charset } as const;
  if (found.values > MAX_VALUES || found.depth > MAX_CANONICAL_DEPTH) return { ...base, dedupKey: rawKey(bytes) };
  const payload = JSON.parse(text) as Record<string, unknown>;
  return { ...base, dedupKey: dedupKey({ ok: true, payload, text, exact, bytes, charset: read.charset }) };
}

/**
 * For a large body whose interpretation failed or took too long: the key is over the raw bytes, and facts are those that its
 * first bytes tell. It is unreadable only where no object can begin like that.
 */
export function salvageBody(bytes: Uint8Array, charset: string | null): Interpretation {
  const read = findObject(bytes.subarray(0, SALVAGED_BYTES), charset, (text) => {
    const outline = outlineJson(text, FACT_NAMES);
    if (outline.form === 'object' || (outline.form === 'unfinished' && /^\s*(?:\{|$)/.test(text))) return outline;
    return reasonOf(outline);
  });
  if (!read.ok) return read;
  return { ok: true, facts: readEvent(read.found.members), dedupKey: rawKey(bytes), charset: read.charset };
}

function outlineObject(text: string): JsonOutline | UnreadableBody['reason'] {
  const outline = outlineJson(text, FACT_NAMES);
  return outline.form === 'object' ? outline : reasonOf(outline);
}

function reasonOf({ form }: JsonOutline): UnreadableBody['reason'] {
  return form === 'other' ? 'not-an-object' : 'not-json';
}
