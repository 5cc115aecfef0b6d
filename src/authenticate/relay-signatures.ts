import { SIGNATURE_SCHEMES } from '../config/signature-schemes.ts';
import { decodeBase64 } from './decode-base64.ts';
import { type Reason, readHeader } from './read-header.ts';
import { checkTimestamp } from './read-timestamp.ts';
import { MAX_SIGNATURES, type ReadClaim, SIGNATURE_BYTES, type SignatureClaim } from './signature-claim.ts';

/** What stands before the body in what an advanced signature covers. */
const SIGNED_TIMESTAMP = /^[0-9]{1,12},/;
const MAX_PREFIX = 13;

/**
 * Scheme `hookdeck`: the base64 of an HMAC-SHA256 over the raw body. While a signing secret is rotated a second header carries
 * the signature by the other one, and either is enough: https://hookdeck.com/docs/authentication.
 */
export function hookdeckScheme(): ReadClaim {
  return (rawHeaders) => {
    const found = SIGNATURE_SCHEMES.hookdeck.headers.map((name) => readHeader(rawHeaders, name));
    const signatures: Uint8Array[] = [];
    for (const header of found) {
      if (header === 'missing') continue;
      if (typeof header === 'string') return header;
      const digest = decodeDigest(header.value.trim());
      if (digest !== undefined) signatures.push(digest);
    }
    if (signatures.length > 0) return { prefix: '', signatures };
    return found.every((header) => header === 'missing') ? 'missing' : 'malformed';
  };
}

/**
 * Scheme `convoy`, in either of its forms: `t=TIMESTAMP,v1=DIGEST` over `<timestamp>,<raw body>`, where several digests and
 * other versions may stand beside it, or one digest alone over the raw body. Digests are hex or base64:
 * https://getconvoy.io/docs/product-manual/signatures.
 */
export function convoyScheme(settings: { readonly toleranceSeconds: number }): ReadClaim {
  return (rawHeaders, now) => {
    const header = readHeader(rawHeaders, SIGNATURE_SCHEMES.convoy.headers[0]);
    if (typeof header === 'string') return header;
    const simple = decodeDigest(header.value.trim());
    if (simple === undefined) return readAdvanced(header.value, settings.toleranceSeconds, now);
    return { prefix: '', signatures: [simple], isAmbiguous };
  };
}

function readAdvanced(value: string, toleranceSeconds: number, now: number): SignatureClaim | Reason {
  const entries = value.split(',').map((entry) => {
    const [, name = '', text = ''] = /^([^=]*)=(.*)$/.exec(entry.trim()) ?? [];
    return { name: name.trim(), text: text.trim() };
  });
  const signatures = entries
    .filter(({ name }) => /^v[0-9]+$/.test(name))
    .slice(0, MAX_SIGNATURES)
    .map(({ text }) => decodeDigest(text))
    .filter((bytes) => bytes !== undefined);
  if (signatures.length === 0) return 'malformed';
  const [timestamp, second] = entries.filter(({ name }) => name === 't');
  if (timestamp === undefined) return 'incomplete';
  if (second !== undefined) return 'repeated';
  const fault = checkTimestamp(timestamp.text, toleranceSeconds, now);
  return fault ?? { prefix: `${timestamp.text},`, signatures };
}

/** An advanced signature also fits, as a simple one that never expires, the body with its timestamp before it. No JSON begins so. */
function isAmbiguous(body: Uint8Array): boolean {
  return SIGNED_TIMESTAMP.test(Buffer.from(body.subarray(0, MAX_PREFIX)).toString('latin1'));
}

/**
 * Decodes the digest of an HMAC-SHA256 from hex or base64. Neither text reads as the other: hex has 64 characters of it,
 * base64 44.
 *
 * @returns `undefined` where it is neither
 */
function decodeDigest(text: string): Buffer | undefined {
  // Checked before decoding: Buffer.from(…, 'hex') stops at the first odd character without a word.
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const bytes = decodeBase64(text);
  return bytes?.length === SIGNATURE_BYTES ? bytes : undefined;
}
