import { decodeBase64 } from './decode-base64.ts';
import { type Reason, readHeader } from './read-header.ts';
import { readTimestamp } from './read-timestamp.ts';
import { MAX_SIGNATURES, type ReadClaim, SIGNATURE_BYTES } from './signature-claim.ts';

interface Names {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
}

export const STANDARD_NAMES: Names = namesAfter('webhook');
export const SVIX_NAMES: Names = namesAfter('svix');

const KEY_PREFIX = 'whsec_';
const VERSION_PREFIX = 'v1,';

// No full stop: it parts id, timestamp and body in what is signed, and the specification warns that an id holding one
// would let the same signature cover another timestamp and another body.
const ID = /^[!-\-/-~]{1,256}$/;

/** Scheme `standard-webhooks`: an HMAC-SHA256 over `<id>.<timestamp>.<raw body>`, as https://www.standardwebhooks.com has it. */
export function standardWebhooksScheme(settings: { readonly toleranceSeconds: number }): ReadClaim {
  return claimReader(STANDARD_NAMES, settings.toleranceSeconds);
}

/**
 * Scheme `svix`: the same with `svix-` in the names. Svix leaves its name out of them for customers who ask for it, so that they
 * are those of the specification: https://docs.svix.com/receiving/verifying-payloads/how-manual.
 */
export function svixScheme(settings: { readonly toleranceSeconds: number }): ReadClaim {
  const readOwn = claimReader(SVIX_NAMES, settings.toleranceSeconds);
  const readUnbranded = claimReader(STANDARD_NAMES, settings.toleranceSeconds);
  return (rawHeaders, now) => {
    const claim = readOwn(rawHeaders, now);
    return claim === 'missing' ? readUnbranded(rawHeaders, now) : claim;
  };
}

function namesAfter(prefix: string): Names {
  return { id: `${prefix}-id`, timestamp: `${prefix}-timestamp`, signature: `${prefix}-signature` };
}

function claimReader(names: Names, toleranceSeconds: number): ReadClaim {
  const rule = { header: names.timestamp, toleranceSeconds };
  return (rawHeaders, now) => {
    const signatures = readSignatures(rawHeaders, names.signature);
    if (typeof signatures === 'string') return signatures;
    const id = readId(rawHeaders, names.id);
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
function readSignatures(rawHeaders: readonly string[], name: string): Uint8Array[] | Reason {
  const header = readHeader(rawHeaders, name);
  if (typeof header === 'string') return header;
  const signatures = header.value
    .split(' ')
    .filter((entry) => entry.startsWith(VERSION_PREFIX))
    .slice(0, MAX_SIGNATURES)
    .map((entry) => decodeBase64(entry.slice(VERSION_PREFIX.length)))
    .filter((bytes): bytes is Buffer => bytes?.length === SIGNATURE_BYTES);
  return signatures.length === 0 ? 'malformed' : signatures;
}

function readId(rawHeaders: readonly string[], name: string): { readonly value: string } | Reason {
  const header = readHeader(rawHeaders, name);
  if (header === 'missing') return 'incomplete';
  if (typeof header === 'string') return header;
  return ID.test(header.value) ? header : 'malformed';
}
