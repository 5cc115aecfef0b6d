import { type Reason, readHeader } from './read-header.ts';
import type { ReadClaim } from './signature-claim.ts';

const HEX_SIGNATURE = /^(?:sha256=)?([0-9a-f]{64})$/i;

/** Scheme `body`: the hex of an HMAC-SHA256 over the raw body, with or without `sha256=`, in either case. */
export function bodyScheme(settings: { readonly signatureHeader: string }): ReadClaim {
  return (rawHeaders) => {
    const signature = readHexSignature(rawHeaders, settings.signatureHeader);
    return typeof signature === 'string' ? signature : { prefix: '', signatures: [signature] };
  };
}

/** @param name lower case */
export function readHexSignature(rawHeaders: readonly string[], name: string): Uint8Array | Reason {
  const header = readHeader(rawHeaders, name);
  if (typeof header === 'string') return header;
  // Checked before decoding: Buffer.from(…, 'hex') stops at the first odd character without a word.
  const hex = HEX_SIGNATURE.exec(header.value)?.[1];
  return hex === undefined ? 'malformed' : Buffer.from(hex, 'hex');
}
