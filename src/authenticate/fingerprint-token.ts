import { createHmac, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Secret } from '../config/secret.ts';
import { digestToken } from './token.ts';

/** Tells a token known by its SHA-256 digest from others, and cannot be searched for without the audit key: 32 hex digits. */
export function fingerprintToken(auditKey: Secret, digest: Uint8Array): string {
  return createHmac('sha256', auditKey.reveal())
    .update('token fingerprint\0')
    .update(digest)
    .digest('hex')
    .slice(0, 32);
}

/** Of tokens whose text is known, in their order. */
export function fingerprintTokens(auditKey: Secret, tokens: readonly Secret[]): string[] {
  return tokens.map((token) => fingerprintToken(auditKey, digestToken(token.reveal())));
}

/** What the audit and people see of a token's fingerprint. */
export function tokenId(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}

/** Of scrypt, with r 8 and p 1: 16 MB and some 50 ms for each guess. */
const MARK_COST = 16_384;
const MARK_BYTES = 32;
const REMEMBERED = 256;

const derive = promisify<Uint8Array, Uint8Array, number, { N: number; r: number; p: number }, Buffer>(scrypt);
const remembered = new Map<string, Promise<string>>();

/** What the marks of one record share: `scrypt$COST$SALT`. */
export function newMarking(): string {
  return `scrypt$${MARK_COST}$${randomBytes(16).toString('hex')}`;
}

export function markingOf(mark: string): string {
  return mark.slice(0, mark.lastIndexOf('$'));
}

/**
 * Tells a token without any key, so that a retired one stays known when the audit key is another. A token that an operator made
 * up may be guessable, and the mark lies on the disk: it is salted and slow. Once for each token and marking of a process.
 *
 * @returns `scrypt$COST$SALT$HASH`
 */
export function markToken(digest: Uint8Array, marking: string): Promise<string> {
  const name = `${marking}$${Buffer.from(digest).toString('hex')}`;
  const known = remembered.get(name);
  if (known !== undefined) return known;
  const [, cost, salt = ''] = marking.split('$');
  const mark = derive(digest, Buffer.from(salt, 'hex'), MARK_BYTES, { N: Number(cost), r: 8, p: 1 }).then(
    (key) => `${marking}$${key.toString('hex')}`,
  );
  if (remembered.size >= REMEMBERED) remembered.clear();
  remembered.set(name, mark);
  return mark;
}
