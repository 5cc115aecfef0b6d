import { createSecretKey } from 'node:crypto';
import { isUint8Array } from 'node:util/types';
import { type Reason, readHeader } from './read-header.ts';
import { matchSignature, type ReadClaim } from './signature-claim.ts';

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
  return decodeHexSignature(header.value) ?? 'malformed';
}

/**
 * Whether the signature is the HMAC-SHA256 of the payload in hex, with or without `sha256=`, in either case. The time it takes
 * does not tell how much of it is right.
 *
 * @param payload the body exactly as it came: its bytes, or a text that stands for them in UTF-8
 * @returns `false` for anything else, of any type and length; it never throws
 */
export function verifyWebhookSignature(payload: string | Uint8Array, signature: string, secret: string): boolean {
  // Callers without types hand over headers that are missing or repeated, and bodies that were parsed.
  if (typeof signature !== 'string' || typeof secret !== 'string' || secret === '') return false;
  if (typeof payload !== 'string' && !isUint8Array(payload)) return false;
  const claimed = decodeHexSignature(signature);
  if (claimed === undefined) return false;
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return matchSignature({ prefix: '', signatures: [claimed] }, [createSecretKey(Buffer.from(secret))], bytes) > 0;
}

function decodeHexSignature(text: string): Uint8Array | undefined {
  // Checked before decoding: Buffer.from(…, 'hex') stops at the first odd character without a word.
  const hex = HEX_SIGNATURE.exec(text)?.[1];
  return hex === undefined ? undefined : Buffer.from(hex, 'hex');
}
