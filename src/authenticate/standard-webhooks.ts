import { decodeBase64 } from './decode-base64.ts';
import { type Reason, readHeader } from './read-header.ts';
import { readTimestamp } from './read-timestamp.ts';
import { type ReadClaim, SIGNATURE_BYTES } from './signature-claim.ts';

export const ID_HEADER = 'webhook-id';
export const TIMESTAMP_HEADER = 'webhook-timestamp';
export const SIGNATURE_HEADER = 'webhook-signature';

const KEY_PREFIX = 'whsec_';
const VERSION_PREFIX = 'v1,';

/** A sender in the middle of a rotation sends two; each further one costs a comparison for every key. */
const MAX_SIGNATURES = 16;

// No full stop: it parts id, timestamp and body in what is signed, and the specification warns that an id holding one
// would let the same signature cover another timestamp and another body.
const ID = /^[!-\-/-~]{1,256}$/;

/** Scheme `standard-webhooks`: an HMAC-SHA256 over `<id>.<timestamp>.<raw body>`, as https://www.standardwebhooks.com has it. */
export function standardWebhooksScheme(settings: { readonly toleranceSeconds: number }): ReadClaim {
  const rule = { header: TIMESTAMP_HEADER, toleranceSeconds: settings.toleranceSeconds };
  return (rawHeaders, now) => {
    const signatures = readSignatures(rawHeaders);
    if (typeof signatures === 'string') return signatures;
    const id = readId(rawHeaders);
    if (typeof id === 'string') return id;
    const timestamp = readTimestamp(rawHeaders, rule, now);
    if (typeof timestamp === 'string') return timestamp;
    return { prefix: `${id.value}.${timestamp.value}.`, signatures };
  };
}

/**
 * Decodes a key of this scheme, with or without its `whsec_`.
 *
 * @returns `undefined` where it is empty or not base64
 */
export function decodeStandardWebhooksKey(key: string): Uint8Array | undefined {
  const bytes = decodeBase64(key.startsWith(KEY_PREFIX) ? key.slice(KEY_PREFIX.length) : key);
  // An empty key decodes without complaint, and anybody can sign with it.
  return bytes?.length === 0 ? undefined : bytes;
}

/** Those of version 1; others (`v1a` is asymmetric) are for other receivers of the same request. */
function readSignatures(rawHeaders: readonly string[]): Uint8Array[] | Reason {
  const header = readHeader(rawHeaders, SIGNATURE_HEADER);
  if (typeof header === 'string') return header;
  const signatures = header.value
    .split(' ')
    .filter((entry) => entry.startsWith(VERSION_PREFIX))
    .slice(0, MAX_SIGNATURES)
    .map((entry) => decodeBase64(entry.slice(VERSION_PREFIX.length)))
    .filter((bytes): bytes is Buffer => bytes?.length === SIGNATURE_BYTES);
  return signatures.length === 0 ? 'malformed' : signatures;
}

function readId(rawHeaders: readonly string[]): { readonly value: string } | Reason {
  const header = readHeader(rawHeaders, ID_HEADER);
  if (header === 'missing') return 'incomplete';
  if (typeof header === 'string') return header;
  return ID.test(header.value) ? header : 'malformed';
}
