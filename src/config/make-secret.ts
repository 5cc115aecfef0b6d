import { randomBytes } from 'node:crypto';
import { type SignatureScheme, schemeFacts } from './signature-schemes.ts';

const RANDOM_BYTES = 32;

/** 32 random bytes as base64url: no character of it needs quoting in a shell, a URL or `.env`. */
export function makeToken(): string {
  return randomBytes(RANDOM_BYTES).toString('base64url');
}

/** A key in the form the scheme's other implementations take. */
export function makeSignatureKey(scheme: SignatureScheme): string {
  return schemeFacts(scheme).whsecKeys ? `whsec_${randomBytes(RANDOM_BYTES).toString('base64')}` : makeToken();
}
