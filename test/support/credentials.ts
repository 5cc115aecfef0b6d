import { createHmac } from 'node:crypto';

/** What the receivers of the tests are configured with. */
export const TOKEN = 'current-token-of-the-table';
export const OLD_TOKEN = 'previous-token-of-the-table';
export const KEY = 'current-signing-key-of-the-table';
export const OLD_KEY = 'previous-signing-key-of-the-table';
export const METRICS_TOKEN = 'metrics-token-of-the-table';
const KEY_BYTES = Buffer.from('standard-webhooks-key-of-the-table');
export const STANDARD_KEY = `whsec_${KEY_BYTES.toString('base64')}`;

/** Nothing of these may ever come out of a receiver. */
export const SECRETS: readonly string[] = [TOKEN, OLD_TOKEN, KEY, OLD_KEY, METRICS_TOKEN, STANDARD_KEY];

export type Headers = Readonly<Record<string, string>>;

export const withToken: Headers = { 'x-webhook-secret': TOKEN };

/** The independent signer of the tests. */
export function hmacHex(key: string, body: Uint8Array | string, prefix = ''): string {
  return createHmac('sha256', key).update(prefix).update(body).digest('hex');
}

export function signed(body: Uint8Array | string, key = KEY): Headers {
  return { 'x-instantly-signature': hmacHex(key, body) };
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000);
}

export function signedAt(body: Uint8Array | string, seconds = nowSeconds(), key = KEY): Headers {
  return {
    'x-instantly-signature': hmacHex(key, body, `${seconds}.`),
    'x-instantly-timestamp': String(seconds),
  };
}

export function signedStandard(body: Uint8Array | string, seconds = nowSeconds(), id = 'msg_of_the_table'): Headers {
  const mac = createHmac('sha256', KEY_BYTES).update(`${id}.${seconds}.`).update(body).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${mac}` };
}
