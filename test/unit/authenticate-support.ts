import { createHmac } from 'node:crypto';
import { type Authenticator, createAuthenticator } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import type { AuthenticationSettings } from '../../src/config/settings.ts';

export const NOW_SECONDS = 1_760_000_000;
export const NOW = NOW_SECONDS * 1000;

export const KEY = 'current-signing-key-0001';
export const OLD_KEY = 'previous-signing-key-002';
export const TOKEN = 'current-shared-token-001';
export const OLD_TOKEN = 'previous-shared-token-02';

export const SIGNATURE_HEADER = 'x-instantly-signature';
export const TIMESTAMP_HEADER = 'x-instantly-timestamp';
export const TOKEN_HEADER = 'x-webhook-secret';

export const BODY = Buffer.from('{"event_type":"reply_received","reply_text":"Grüße"}');

type Overrides = Partial<Omit<AuthenticationSettings, 'signatureKeys' | 'tokens'>> & {
  readonly keys?: readonly string[];
  readonly tokens?: readonly string[];
};

export function settingsOf(overrides: Overrides = {}): AuthenticationSettings {
  const { keys = [], tokens = [], ...rest } = overrides;
  return {
    signatureKeys: keys.map((key) => new Secret(key)),
    signatureScheme: 'body',
    signatureHeader: SIGNATURE_HEADER,
    timestampHeader: TIMESTAMP_HEADER,
    toleranceSeconds: 300,
    tokens: tokens.map((token) => new Secret(token)),
    tokenHeader: TOKEN_HEADER,
    require: 'any',
    ...rest,
  };
}

export function authenticatorOf(overrides: Overrides = {}): Authenticator {
  return createAuthenticator(settingsOf(overrides), () => NOW);
}

/** The independent signer of the tests; text before the body is taken byte for byte. */
export function hmacHex(key: string | Uint8Array, body: Uint8Array, prefix = ''): string {
  return createHmac('sha256', key).update(prefix).update(body).digest('hex');
}

/** One line that says all: `refused: REASON` by the headers, `rejected: REASON` by the body, or the principal,
 * with ` (signature mismatch)` where that was told. */
export function outcomeOf(
  authenticator: Authenticator,
  rawHeaders: readonly string[],
  body: Uint8Array = BODY,
): string {
  const inspection = authenticator.inspectHeaders(rawHeaders);
  if (inspection.verdict === 'refused') return `refused: ${inspection.reason}`;
  const verification = authenticator.verify(inspection, body, 'application/json');
  if (!verification.authentic) return `rejected: ${verification.reason}`;
  return `${verification.delivery.principal}${verification.signatureMismatch ? ' (signature mismatch)' : ''}`;
}
