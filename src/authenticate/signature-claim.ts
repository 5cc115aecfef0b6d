import { createHmac, type KeyObject } from 'node:crypto';
import { firstMatch } from './compare.ts';
import type { Reason } from './read-header.ts';

/** Bytes of an HMAC-SHA256. */
export const SIGNATURE_BYTES = 32;

/** A sender in the middle of a rotation sends two; each further one costs a comparison for every key. */
export const MAX_SIGNATURES = 16;

/** What a request claims about a body that has not been read yet. */
export interface SignatureClaim {
  /** Stands before the body in what was signed. */
  readonly prefix: string;
  /** Decoded, each of `SIGNATURE_BYTES`; one right one is enough. */
  readonly signatures: readonly Uint8Array[];
  /** Whether the signature of this body could have been made for another one; no such body is proven. */
  readonly isAmbiguous?: (body: Uint8Array) => boolean;
}

/**
 * One signature scheme: judges what its headers alone can tell.
 *
 * @param now epoch milliseconds
 * @returns the claim to hold against the body, or why no body could make the request come right
 */
export type ReadClaim = (rawHeaders: readonly string[], now: number) => SignatureClaim | Reason;

/** HMAC-SHA256 over the prefix and then the body's bytes as they are. */
export function computeSignature(key: KeyObject, prefix: string, body: Uint8Array): Buffer {
  const hmac = createHmac('sha256', key);
  if (prefix !== '') hmac.update(prefix, 'latin1');
  // By way of a text, each byte a character: bytes would come with memory of their own outside the heap, at half the HMAC's cost.
  return Buffer.from(hmac.update(body).digest('latin1'), 'latin1');
}

/** The position from 1 of the first key that made one of the claimed signatures; 0 where none did. */
export function matchSignature(claim: SignatureClaim, keys: readonly KeyObject[], body: Uint8Array): number {
  if (claim.isAmbiguous?.(body)) return 0;
  return firstMatch(
    claim.signatures,
    keys.map((key) => computeSignature(key, claim.prefix, body)),
  );
}
