import { describe, expect, test } from '@jest/globals';
import { createAuthenticator, signHeaders } from '../../src/authenticate/index.ts';
import {
  BODY,
  hmacHex,
  KEY,
  NOW,
  NOW_SECONDS,
  OLD_KEY,
  OLD_TOKEN,
  outcomeOf,
  settingsOf,
  TOKEN,
} from './authenticate-support.ts';

const WHSEC = `whsec_${Buffer.from('a signing key of 32 bytes, first').toString('base64')}`;

describe('what we sign, we accept', () => {
  test.each([
    ['body', { keys: [KEY, OLD_KEY] }, 'instantly:hmac:1'],
    ['timestamped', { keys: [KEY, OLD_KEY], signatureScheme: 'timestamped' }, 'instantly:hmac:1'],
    ['standard-webhooks', { keys: [WHSEC], signatureScheme: 'standard-webhooks' }, 'instantly:hmac:1'],
    ['hookdeck', { keys: [KEY, OLD_KEY], signatureScheme: 'hookdeck' }, 'instantly:hmac:1'],
    ['svix', { keys: [WHSEC], signatureScheme: 'svix' }, 'instantly:hmac:1'],
    ['convoy', { keys: [KEY, OLD_KEY], signatureScheme: 'convoy' }, 'instantly:hmac:1'],
    ['token', { tokens: [TOKEN, OLD_TOKEN] }, 'instantly:token:1'],
    ['token beyond ASCII', { tokens: ['schlüssel-für-alle-fälle'] }, 'instantly:token:1'],
    ['token in Authorization', { tokens: [TOKEN], tokenHeader: 'authorization' }, 'instantly:token:1'],
    [
      'user and password in Authorization',
      { tokens: ['user:password-1234'], tokenHeader: 'authorization' },
      'instantly:token:1',
    ],
    ['both', { keys: [KEY], tokens: [TOKEN], require: 'both' }, 'instantly:hmac:1+instantly:token:1'],
    ['both configured, any required', { keys: [KEY], tokens: [TOKEN] }, 'instantly:hmac:1+instantly:token:1'],
  ] as const)('%s', (_name, overrides, principal) => {
    const settings = settingsOf(overrides);
    const headers = signHeaders(settings, BODY, NOW + 999);
    expect(
      outcomeOf(
        createAuthenticator(settings, () => NOW),
        Object.entries(headers).flat(),
      ),
    ).toBe(principal);
    // A client refuses what does not fit a byte each, so the headers must pass one.
    expect(() => new Headers(headers)).not.toThrow();
  });
});

describe('the headers', () => {
  test('are those of the configured names, and no others', () => {
    const settings = settingsOf({
      keys: [KEY],
      signatureScheme: 'timestamped',
      signatureHeader: 'x-sig',
      timestampHeader: 'x-at',
      tokens: [TOKEN],
      tokenHeader: 'authorization',
    });
    expect(signHeaders(settings, BODY, NOW)).toEqual({
      'x-sig': hmacHex(KEY, BODY, `${NOW_SECONDS}.`),
      'x-at': `${NOW_SECONDS}`,
      authorization: `Bearer ${TOKEN}`,
    });
  });

  test('of Standard Webhooks carry a new id each time, or the one given', () => {
    const settings = settingsOf({ keys: [WHSEC], signatureScheme: 'standard-webhooks' });
    const ids = [{}, {}, { id: 'msg_1' }].map((options) => signHeaders(settings, BODY, NOW, options)['webhook-id']);
    expect(new Set(ids).size).toBe(3);
    expect(ids[2]).toBe('msg_1');
  });

  test('of Standard Webhooks are not made over bytes that are no UTF-8', () => {
    const settings = settingsOf({ keys: [WHSEC], signatureScheme: 'standard-webhooks' });
    expect(() => signHeaders(settings, Buffer.from([0x7b, 0xff, 0x7d]), NOW)).toThrow('UTF-8');
  });
});
