import { readHexSignature } from './body-signature.ts';
import { readTimestamp } from './read-timestamp.ts';
import type { ReadClaim } from './signature-claim.ts';

/** Scheme `timestamped`: the hex of an HMAC-SHA256 over `<timestamp>.<raw body>`. */
export function timestampedScheme(settings: {
  readonly signatureHeader: string;
  readonly timestampHeader: string;
  readonly toleranceSeconds: number;
}): ReadClaim {
  const rule = { header: settings.timestampHeader, toleranceSeconds: settings.toleranceSeconds };
  return (rawHeaders, now) => {
    const signature = readHexSignature(rawHeaders, settings.signatureHeader);
    if (typeof signature === 'string') return signature;
    const timestamp = readTimestamp(rawHeaders, rule, now);
    if (typeof timestamp === 'string') return timestamp;
    return { prefix: `${timestamp.value}.`, signatures: [signature] };
  };
}
