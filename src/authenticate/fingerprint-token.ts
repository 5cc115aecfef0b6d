import { createHmac } from 'node:crypto';
import type { Secret } from '../config/secret.ts';

/** Tells a token known by its SHA-256 digest from others, and cannot be searched for without the audit key: 32 hex digits. */
export function fingerprintToken(auditKey: Secret, digest: Uint8Array): string {
  return createHmac('sha256', auditKey.reveal())
    .update('token fingerprint\0')
    .update(digest)
    .digest('hex')
    .slice(0, 32);
}

/** What the audit and people see of a token's fingerprint. */
export function tokenId(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}
