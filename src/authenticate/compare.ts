import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Drawn anew in each process, so that nobody outside can tell how the digests of two guesses relate. */
const blindingKey = randomBytes(32);

/** Turns a value of any length into 32 bytes that can be compared without telling its length or where it differs. */
export function blind(value: Uint8Array): Buffer {
  return createHmac('sha256', blindingKey).update(value).digest();
}

/**
 * Finds which of the expected digests any of the candidates equals: the position from 1 of the first, 0 for none.
 * Every pair is compared, so that the time taken tells neither whether nor where there was a match.
 */
export function firstMatch(candidates: readonly Uint8Array[], expected: readonly Uint8Array[]): number {
  let position = 0;
  for (const [index, digest] of expected.entries()) {
    const equal = candidates.filter((candidate) => equalDigests(candidate, digest));
    if (equal.length > 0 && position === 0) position = index + 1;
  }
  return position;
}

function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  // The length of a digest is no secret, and timingSafeEqual throws where the two differ.
  return a.length === b.length && timingSafeEqual(a, b);
}
