import { createHash, type Hash, hash } from 'node:crypto';
import { writeCanonicalJson } from './canonical-json.ts';
import type { ReadableBody } from './parse-body.ts';
import type { EventFacts } from './read-event.ts';
import { scanJson } from './scan-json.ts';

const HOUR_MS = 3_600_000;

/**
 * The deduplication key, 32 bytes: SHA-256 over the canonical JSON of the payload, or over the raw bytes where JSON.parse
 * or the canonical form loses something that two different payloads could differ in.
 *
 * The two need no mark to tell them apart: bytes that equal a canonical form have lost nothing, so they are their own
 * canonical form and never keyed as raw.
 */
export function dedupKey(body: ReadableBody): Uint8Array {
  return canonicalKey(body) ?? rawKey(body.bytes);
}

/** The key of a payload that has no canonical form, or none that is worth its cost. */
export function rawKey(bytes: Uint8Array): Uint8Array {
  return digest(bytes);
}

function canonicalKey(body: ReadableBody): Uint8Array | undefined {
  if (!body.exact) return undefined;
  const scan = scanJson(body.text);
  if (!scan.exactNumbers) return undefined;
  const canonical = new Digest();
  const members = writeCanonicalJson(body.payload, (piece) => canonical.add(piece));
  // JSON.parse keeps the last of two members of one name, so fewer of them are left than were written.
  return members === scan.members ? canonical.end() : undefined;
}

/** SHA-256 over pieces of text. Of most events there is only one, and that is hashed at a third of the cost. */
class Digest {
  #only: string | undefined;
  #rest: Hash | undefined;

  add(piece: string): void {
    if (this.#only === undefined) this.#only = piece;
    else {
      this.#rest ??= createHash('sha256').update(this.#only, 'utf8');
      this.#rest.update(piece, 'utf8');
    }
  }

  end(): Uint8Array {
    return this.#rest?.digest() ?? digest(this.#only ?? '');
  }
}

/** By way of a text: a digest that comes as bytes has memory of its own outside the heap, which takes longer than the hash. */
function digest(data: string | Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', data, 'latin1'), 'latin1');
}

/**
 * Epoch milliseconds after which the same content counts as new. Only for an hour where the payload does not say when it
 * happened: two like events of different days would then read alike, and the second must not be lost.
 *
 * @param refusesReplays whether the operator would rather lose such a one than run a repeated one
 */
export function dedupUntil(
  facts: Pick<EventFacts, 'timestamp'>,
  receivedAt: number,
  retentionMs: number,
  refusesReplays = false,
): number {
  return receivedAt + (facts.timestamp === null && !refusesReplays ? HOUR_MS : retentionMs);
}
