import { createHmac } from 'node:crypto';
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
