import { expect, test } from '@jest/globals';
import { createAuthenticator, signHeaders } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import type { AuthenticationSettings } from '../../src/config/settings.ts';
import { outcomeOf } from '../unit/authenticate-support.ts';

// Source: GitHub Docs, "Validating webhook deliveries", section "Testing the webhook payload validation".
const GITHUB = {
  name: 'GitHub',
  key: "It's a Secret to Everybody",
  body: 'Hello, World!',
  hex: '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
};

// Source: RFC 4231, "Identifiers and Test Vectors for HMAC-SHA-224, -256, -384 and -512", test case 2.
const RFC_4231 = {
  name: 'RFC 4231',
  key: 'Jefe',
  body: 'what do ya want for nothing?',
  hex: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
};

const settingsOf = (key: string): AuthenticationSettings => ({
  signatureKeys: [new Secret(key)],
  signatureScheme: 'body',
  signatureHeader: 'x-hub-signature-256',
  timestampHeader: 'x-timestamp',
  toleranceSeconds: 300,
  tokens: [],
  tokenHeader: 'x-webhook-secret',
  require: 'any',
});

test.each([GITHUB, RFC_4231])('the published signature of $name is accepted, and made', ({ key, body, hex }) => {
  const bytes = Buffer.from(body);
  const authenticator = createAuthenticator(settingsOf(key));
  expect(outcomeOf(authenticator, ['X-Hub-Signature-256', `sha256=${hex}`], bytes)).toBe('instantly:hmac:1');
  expect(outcomeOf(authenticator, ['x-hub-signature-256', hex], bytes)).toBe('instantly:hmac:1');
  expect(outcomeOf(authenticator, ['x-hub-signature-256', hex], Buffer.from(`${body} `))).toBe('rejected: mismatch');
  expect(signHeaders(settingsOf(key), bytes, 0)).toEqual({ 'x-hub-signature-256': hex });
});
