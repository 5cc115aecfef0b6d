import { describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { createAuthenticator, signHeaders } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import type { AuthenticationSettings } from '../../src/config/settings.ts';
import { outcomeOf } from '../unit/authenticate-support.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const VECTORS = [
  {
    // Source: the tests of the Standard Webhooks reference libraries ("sign function works"), the same in every language.
    source: 'reference libraries',
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1_614_265_330,
    payload: '{"test": 2432232314}',
    signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  {
    // Source: libraries/testdata/signatures.json in the repository standard-webhooks/standard-webhooks.
    source: 'shared test data',
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1_696_200_454,
    payload:
      '{"type": "example.created", "timestamp":"2023-09-28T19:20:22+00:00", "data":{"str":"string","bool":true,"int":42}}',
    signature: 'v1,GgjvufBlIj71MBIVQotYGb+xEC3LNXCsIZp0HsDC8qs=',
  },
];

const settingsOf = (secret: string): AuthenticationSettings => ({
  signatureKeys: [new Secret(secret)],
  signatureScheme: 'standard-webhooks',
  signatureHeader: 'x-instantly-signature',
  timestampHeader: 'x-instantly-timestamp',
  toleranceSeconds: 300,
  tokens: [],
  tokenHeader: 'x-webhook-secret',
  require: 'any',
});

describe.each(VECTORS)('the published vector of the $source', ({ id, timestamp, payload, signature }) => {
  const rawHeaders = ['Webhook-Id', id, 'Webhook-Timestamp', `${timestamp}`, 'Webhook-Signature', signature];
  const body = Buffer.from(payload);

  test.each([SECRET, SECRET.slice('whsec_'.length)])('is accepted with the secret %#', (secret) => {
    const authenticator = createAuthenticator(settingsOf(secret), () => timestamp * 1000);
    expect(outcomeOf(authenticator, rawHeaders, body)).toBe('instantly:hmac:1');
  });

  test('is refused over any other body', () => {
    const authenticator = createAuthenticator(settingsOf(SECRET), () => timestamp * 1000);
    expect(outcomeOf(authenticator, rawHeaders, Buffer.from(payload.replace(' ', '')))).toBe('rejected: mismatch');
  });

  test('is what we sign', () => {
    expect(signHeaders(settingsOf(SECRET), body, timestamp * 1000, { id })).toEqual({
      'webhook-id': id,
      'webhook-timestamp': `${timestamp}`,
      'webhook-signature': signature,
    });
  });
});

describe('the package standardwebhooks', () => {
  const payload = '{"reply_text":"Grüße 😀\\u0000"}';

  test('verifies what we sign', () => {
    // Its clock cannot be set, so both sides use the real one.
    const headers = signHeaders(settingsOf(SECRET), Buffer.from(payload), Date.now());
    expect(new Webhook(SECRET).verify(payload, headers)).toEqual(JSON.parse(payload));
    expect(() => new Webhook(SECRET).verify(`${payload} `, headers)).toThrow('No matching signature found');
  });

  test('signs what we verify', () => {
    const now = 1_760_000_000_000;
    const signature = new Webhook(SECRET).sign('msg_1', new Date(now), payload);
    const rawHeaders = ['webhook-id', 'msg_1', 'webhook-timestamp', '1760000000', 'webhook-signature', signature];
    const authenticator = createAuthenticator(settingsOf(SECRET), () => now);
    expect(outcomeOf(authenticator, rawHeaders, Buffer.from(payload))).toBe('instantly:hmac:1');
  });
});
