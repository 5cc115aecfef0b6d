import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Secret } from '../config/secret.ts';
import type { AuditDraft, AuditEntry, AuditMetadata, ChainHead } from './entry.ts';

/** `prevHash` of the first entry of every chain. */
export const GENESIS_HASH = '0'.repeat(64);

const KEY_LABEL = 'instantly-webhook-receiver audit chain v1';

/** From `deriveAuditKey`. */
export type AuditKey = KeyObject | Buffer;

/** An entry in its place, and the chain's next head. A store keeps these fields, not the draft's. */
export interface SealedEntry extends AuditEntry {
  /** The metadata's JSON exactly as it was hashed: a store keeps this text, byte for byte. */
  readonly metadataText: string;
}

/**
 * The key of the chain, derived from AUDIT_KEY (HKDF-SHA256, RFC 5869) under a label of its own, so that the same
 * AUDIT_KEY may serve other purposes without one of them being able to forge for another.
 */
export function deriveAuditKey(secret: Secret): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret.reveal(), '', KEY_LABEL, 32)));
}

/**
 * Gives a draft its place after `head` (`undefined`: the chain begins).
 *
 * Never throws for what a draft holds, because one bad draft must not fail the commit of a whole batch: metadata that
 * JSON cannot express becomes `{ "unreadable": true }`, and text fields lose what a database cannot keep (lone
 * surrogates, NUL). Throws where `head` is of another chain.
 */
export function sealEntry(draft: AuditDraft, head: ChainHead | undefined, writer: string, key: AuditKey): SealedEntry {
  if (head !== undefined && head.writer !== writer) throw new Error('The head given belongs to another chain.');
  const seq = head === undefined ? 1 : head.seq + 1;
  const prevHash = head === undefined ? GENESIS_HASH : head.hash;
  const metadataText = textOf(draft.metadata);
  const metadata = metadataText === UNREADABLE_TEXT ? UNREADABLE : draft.metadata;
  let { id, timestamp, action, userId, resource, result } = draft;
  let front = JSON.stringify([id, timestamp, action, userId, resource, result]);
  // JSON writes lone surrogates and control characters as \u escapes: only then is there anything to clean.
  if (front.includes('\\u')) {
    [id, timestamp, action, userId, resource] = [
      clean(id),
      clean(timestamp),
      clean(action),
      clean(userId),
      clean(resource),
    ];
    front = JSON.stringify([id, timestamp, action, userId, resource, result]);
  }
  // The same text as JSON.stringify over the whole list gives (see hashOf), with the metadata put into words only once.
  const text = `${front.slice(0, -1)},${metadataText},${JSON.stringify([writer, seq, prevHash]).slice(1)}`;
  const hash = createHmac('sha256', key).update(text).digest('hex');
  return { id, timestamp, action, userId, resource, result, metadata, metadataText, writer, seq, prevHash, hash };
}

/** What `hash` must be for an entry as it is stored. The entry's fields must be strings, and `seq` a number. */
export function hashOf(entry: AuditEntry, key: AuditKey): string {
  const { id, timestamp, action, userId, resource, result, metadata, writer, seq, prevHash } = entry;
  const text = JSON.stringify([id, timestamp, action, userId, resource, result, metadata, writer, seq, prevHash]);
  return createHmac('sha256', key).update(text).digest('hex');
}

/**
 * Metadata as a store reads it back. Text that is not exactly what was sealed (white space, a name twice, broken
 * JSON) yields an object under which the entry's hash cannot hold: parsed, it might still equal the original while
 * whoever reads the text itself is told something else. Never throws.
 */
export function parseMetadata(text: string): AuditMetadata {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value) && JSON.stringify(value) === text) return value;
  } catch {
    // Not JSON, or nested too deeply: as little what was sealed as anything else that ends below.
  }
  return { notAsSealed: text };
}

const UNREADABLE = { unreadable: true };
const UNREADABLE_TEXT = JSON.stringify(UNREADABLE);

function textOf(metadata: AuditMetadata): string {
  try {
    const text: string | undefined = JSON.stringify(metadata);
    return text?.startsWith('{') ? text : UNREADABLE_TEXT;
  } catch {
    return UNREADABLE_TEXT;
  }
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

function isObject(value: unknown): value is AuditMetadata {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
