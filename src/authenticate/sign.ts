import { isUtf8 } from 'node:buffer';
import { type KeyObject, randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { AuthenticationSettings } from '../config/settings.ts';
import { SIGNATURE_SCHEMES } from '../config/signature-schemes.ts';
import { loadKeys } from './load-keys.ts';
import { computeSignature } from './signature-claim.ts';
import { STANDARD_NAMES, SVIX_NAMES } from './standard-webhooks.ts';

export interface SignOptions {
  /** The `webhook-id` of the scheme `standard-webhooks`, or `svix-id`; a random one where it is left out. */
  readonly id?: string;
}

/**
 * Gives the headers that prove a body to a receiver with the same settings: a signature, a token or both, whatever is
 * configured, each with the current (first) secret. The values are credentials: send them, never log them.
 *
 * @param now epoch milliseconds
 * @throws SettingsError as `createAuthenticator` does
 * @throws TypeError where the scheme is `standard-webhooks` or `svix` and the body is not UTF-8
 */
export function signHeaders(
  settings: AuthenticationSettings,
  body: Uint8Array,
  now: number,
  options: SignOptions = {},
): Record<string, string> {
  const keys = loadKeys(settings);
  const [key] = keys.signatureKeys;
  const [token] = keys.tokens;
  return {
    ...(key === undefined ? {} : signatureHeaders(settings, key, body, now, options)),
    ...(token === undefined ? {} : { [settings.tokenHeader]: tokenValue(settings.tokenHeader, token) }),
  };
}

function signatureHeaders(
  settings: AuthenticationSettings,
  key: KeyObject,
  body: Uint8Array,
  now: number,
  options: SignOptions,
): Record<string, string> {
  const seconds = `${Math.floor(now / 1000)}`;
  switch (settings.signatureScheme) {
    case 'body':
      return { [settings.signatureHeader]: computeSignature(key, '', body).toString('hex') };
    case 'timestamped':
      return {
        [settings.signatureHeader]: computeSignature(key, `${seconds}.`, body).toString('hex'),
        [settings.timestampHeader]: seconds,
      };
    case 'hookdeck':
      return { [SIGNATURE_SCHEMES.hookdeck.headers[0]]: computeSignature(key, '', body).toString('base64') };
    case 'convoy': {
      const digest = computeSignature(key, `${seconds},`, body).toString('hex');
      return { [SIGNATURE_SCHEMES.convoy.headers[0]]: `t=${seconds},v1=${digest}` };
    }
    case 'standard-webhooks':
    case 'svix': {
      // The package signs text, and would sign replacement characters in place of bytes that are none.
      if (!isUtf8(body)) throw new TypeError('This signature scheme signs UTF-8 only.');
      const id = options.id ?? `msg_${randomUUID()}`;
      const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
      const signature = new Webhook(key.export(), { format: 'raw' }).sign(id, new Date(now), text);
      const names = settings.signatureScheme === 'svix' ? SVIX_NAMES : STANDARD_NAMES;
      return { [names.id]: id, [names.timestamp]: seconds, [names.signature]: signature };
    }
  }
}

function tokenValue(header: string, token: Uint8Array): string {
  // One character for each byte is what an HTTP client takes.
  const value = Buffer.from(token).toString('latin1');
  return header === 'authorization' ? `Bearer ${value}` : value;
}
