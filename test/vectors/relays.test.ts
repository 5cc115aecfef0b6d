import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { createAuthenticator, signHeaders } from '../../src/authenticate/index.ts';
import type { SignatureScheme } from '../../src/config/signature-schemes.ts';
import { outcomeOf, settingsOf } from '../unit/authenticate-support.ts';

function outcome(
  signatureScheme: SignatureScheme,
  key: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  seconds = 0,
): string {
  const settings = settingsOf({ keys: [key], signatureScheme });
  const authenticator = createAuthenticator(settings, () => seconds * 1000);
  return outcomeOf(authenticator, Object.entries(headers).flat(), Buffer.from(body));
}

// Source: pkg/signature/testdata/signature-vectors.json in the repository frain-dev/convoy, all that use SHA-256.
const CONVOY = {
  key: 'convoy-webhook-secret',
  body: '{"event":"charge.success","amount":1000,"currency":"NGN"}',
  seconds: 1_700_000_000,
  hex: '77b8b9269f25a199846a55a2bd25b3fba151c70fdae60bb1dcd87fbbc943c55c',
  wrong: '449623e4897bbde05e35358293f97b8c2f697367ffa3e7466e98178dfba44d19',
  wrongToo: 'c7eff1833c41a2ce2e195599451b240cd282b1bc9fa387e428a9fd5a5dc74933',
};

describe('the published vector of Convoy', () => {
  const { key, body, seconds, hex, wrong, wrongToo } = CONVOY;
  const ask = (header: string, now = seconds) => outcome('convoy', key, { 'X-Convoy-Signature': header }, body, now);

  test.each([
    ['simple_sha256_hex_valid', '244449b7f48cbc2709060c9dcdc2b3aa47a78f540430579015c579fb12defbb4', 'instantly:hmac:1'],
    ['simple_sha256_base64_valid', 'JERJt/SMvCcJBgydzcKzqkenj1QEMFeQFcV5+xLe+7Q=', 'instantly:hmac:1'],
    ['advanced_sha256_hex_valid', `t=1700000000,v1=${hex}`, 'instantly:hmac:1'],
    [
      'advanced_sha256_base64_valid',
      't=1700000000,v1=d7i5Jp8loZmEalWivSWz+6FRxw/a5gux3Nh/u8lDxVw=',
      'instantly:hmac:1',
    ],
    ['advanced_tamper', `t=1700000000,v1=${hex.slice(0, -1)}0`, 'rejected: mismatch'],
    ['advanced_t_not_first', `v1=${hex},t=1700000000`, 'instantly:hmac:1'],
    ['advanced_multi_v1_one_valid', `t=1700000000,v1=${wrong},v1=${hex}`, 'instantly:hmac:1'],
    ['advanced_multi_v1_none_valid', `t=1700000000,v1=${wrong},v1=${wrongToo}`, 'rejected: mismatch'],
    ['advanced_t_infinity', `t=Infinity,v1=${hex}`, 'refused: malformed'],
    ['advanced_numeric_signature', 't=1700000000,v1=1234567890', 'refused: malformed'],
    ['advanced_missing_timestamp', `v1=${hex},v2=${hex}`, 'refused: incomplete'],
    ['simple_tamper', '244449b7f48cbc2709060c9dcdc2b3aa47a78f540430579015c579fb12defbb0', 'rejected: mismatch'],
  ])('%s', (_name, header, expected) => {
    expect(ask(header)).toBe(expected);
  });

  test('advanced_expired', () => {
    expect(ask(`t=1700000000,v1=${hex}`, seconds + 301)).toBe('refused: stale');
  });

  test('is what we sign', () => {
    const settings = settingsOf({ keys: [key], signatureScheme: 'convoy' });
    expect(signHeaders(settings, Buffer.from(body), seconds * 1000)).toEqual({
      'x-convoy-signature': `t=1700000000,v1=${hex}`,
    });
  });
});

describe('the published vector of Svix', () => {
  // Sources: https://docs.svix.com/receiving/verifying-payloads/how-manual, and the example of …/how beside it.
  const VECTORS = [
    {
      key: 'whsec_plJ3nmyCDGBKInavdOK15jsl',
      id: 'msg_loFOjxBNrRLzqYUf',
      seconds: 1_731_705_121,
      body: '{"event_type":"ping","data":{"success":true}}',
      signature: 'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
    },
    {
      key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      seconds: 1_614_265_330,
      body: '{"test": 2432232314}',
      signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
  ];

  test.each(VECTORS)('$id is accepted under either prefix, and made', ({ key, id, seconds, body, signature }) => {
    for (const prefix of ['svix', 'webhook', 'Svix']) {
      const headers = {
        [`${prefix}-id`]: id,
        [`${prefix}-timestamp`]: `${seconds}`,
        [`${prefix}-signature`]: signature,
      };
      expect(outcome('svix', key, headers, body, seconds)).toBe('instantly:hmac:1');
      expect(outcome('svix', key, headers, `${body} `, seconds)).toBe('rejected: mismatch');
    }
    const settings = settingsOf({ keys: [key], signatureScheme: 'svix' });
    expect(signHeaders(settings, Buffer.from(body), seconds * 1000, { id })).toEqual({
      'svix-id': id,
      'svix-timestamp': `${seconds}`,
      'svix-signature': signature,
    });
  });

  test('headers of the two prefixes are not put together', () => {
    const [{ key, id, seconds, body, signature }] = VECTORS as [(typeof VECTORS)[number]];
    const mixed = { 'svix-signature': signature, 'webhook-id': id, 'webhook-timestamp': `${seconds}` };
    expect(outcome('svix', key, mixed, body, seconds)).toBe('refused: incomplete');
    const other = new Webhook(key).sign(id, new Date(seconds * 1000), `${body} `);
    const both = {
      'svix-id': id,
      'svix-timestamp': `${seconds}`,
      'svix-signature': signature,
      'webhook-id': id,
      'webhook-timestamp': `${seconds}`,
      'webhook-signature': other,
    };
    expect(outcome('svix', key, both, body, seconds)).toBe('instantly:hmac:1');
  });
});

describe('Hookdeck', () => {
  // Hookdeck publishes no signature with its secret. The secret and the body are those of its own tests (tests/test_verify.py in
  // the repository hookdeck/hermes-hookdeck), and the signature is by `openssl dgst -sha256 -hmac SECRET -binary | base64`.
  const key = 'whsec_test_secret';
  const body = '{"type":"charge.succeeded","id":"evt_1"}';
  const signature = 'RTilfSisjfEz7c0AY84mq9Vcd+C659EfsuNqv+NNEQo=';
  const by = (secret: string) => createHmac('sha256', secret).update(body).digest('base64');
  // RFC 4231, test case 2.
  const RFC_4231 = {
    key: 'Jefe',
    body: 'what do ya want for nothing?',
    base64: 'W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=',
  };

  test.each([
    ['right', { 'X-Hookdeck-Signature': signature }, 'instantly:hmac:1'],
    [
      'by the old secret, in the second header',
      { 'x-hookdeck-signature': by('new'), 'x-hookdeck-signature-2': signature },
      'instantly:hmac:1',
    ],
    [
      'by the new secret, in the first header',
      { 'x-hookdeck-signature': signature, 'x-hookdeck-signature-2': by('old') },
      'instantly:hmac:1',
    ],
    [
      'right, the second empty',
      { 'x-hookdeck-signature': signature, 'x-hookdeck-signature-2': '' },
      'instantly:hmac:1',
    ],
    ['the second alone', { 'x-hookdeck-signature-2': signature }, 'instantly:hmac:1'],
    [
      'both by others',
      { 'x-hookdeck-signature': by('new'), 'x-hookdeck-signature-2': by('old') },
      'rejected: mismatch',
    ],
    ['none', { 'x-instantly-signature': signature }, 'refused: missing'],
    ['empty', { 'x-hookdeck-signature': '' }, 'refused: malformed'],
    ['without its padding', { 'x-hookdeck-signature': signature.replace('=', '') }, 'refused: malformed'],
    [
      'of another hash',
      { 'x-hookdeck-signature': createHmac('sha512', key).update(body).digest('base64') },
      'refused: malformed',
    ],
  ])('%s', (_name, headers, expected) => {
    expect(outcome('hookdeck', key, headers, body)).toBe(expected);
  });

  test('the header twice', () => {
    const settings = settingsOf({ keys: [key], signatureScheme: 'hookdeck' });
    const rawHeaders = ['x-hookdeck-signature', signature, 'X-Hookdeck-Signature', signature];
    expect(outcomeOf(createAuthenticator(settings), rawHeaders, Buffer.from(body))).toBe('refused: repeated');
  });

  test('RFC 4231 in base64, accepted and made', () => {
    const { base64 } = RFC_4231;
    expect(outcome('hookdeck', RFC_4231.key, { 'x-hookdeck-signature': base64 }, RFC_4231.body)).toBe(
      'instantly:hmac:1',
    );
    const settings = settingsOf({ keys: [RFC_4231.key], signatureScheme: 'hookdeck' });
    expect(signHeaders(settings, Buffer.from(RFC_4231.body), 0)).toEqual({ 'x-hookdeck-signature': base64 });
  });
});
