import { describe, expect, test } from '@jest/globals';
import { createAuthenticator } from '../../src/authenticate/index.ts';
import {
  authenticatorOf,
  BODY,
  hmacHex,
  KEY,
  NOW,
  NOW_SECONDS,
  OLD_KEY,
  outcomeOf,
  SIGNATURE_HEADER,
  settingsOf,
  TIMESTAMP_HEADER,
} from './authenticate-support.ts';

const overrides = { keys: [KEY, OLD_KEY], signatureScheme: 'timestamped' } as const;
const authenticator = authenticatorOf(overrides);
const signedAt = (timestamp: string, key = KEY): string[] => [
  SIGNATURE_HEADER,
  hmacHex(key, BODY, `${timestamp}.`),
  TIMESTAMP_HEADER,
  timestamp,
];

describe('scheme timestamped', () => {
  test.each([
    ['now', signedAt(`${NOW_SECONDS}`), 'instantly:hmac:1'],
    ['with the previous key', signedAt(`${NOW_SECONDS}`, OLD_KEY), 'instantly:hmac:2'],
    ['with zeros before it, which the signature covers', signedAt(`00${NOW_SECONDS}`), 'instantly:hmac:1'],
    ['just inside the past', signedAt(`${NOW_SECONDS - 300}`), 'instantly:hmac:1'],
    ['just outside the past', signedAt(`${NOW_SECONDS - 301}`), 'refused: stale'],
    ['just inside the future', signedAt(`${NOW_SECONDS + 300}`), 'instantly:hmac:1'],
    ['just outside the future', signedAt(`${NOW_SECONDS + 301}`), 'refused: future'],
    ['at zero', signedAt('0'), 'refused: stale'],
    ['as late as can be written', signedAt('9'.repeat(12)), 'refused: future'],
    ['too many digits', signedAt(`000${NOW_SECONDS}`), 'refused: malformed'],
    ['in milliseconds', signedAt(`${NOW}`), 'refused: malformed'],
    ['empty', signedAt(''), 'refused: malformed'],
    ['negative', signedAt(`-${NOW_SECONDS}`), 'refused: malformed'],
    ['with a sign', signedAt(`+${NOW_SECONDS}`), 'refused: malformed'],
    ['with a fraction', signedAt(`${NOW_SECONDS}.0`), 'refused: malformed'],
    ['with an exponent', signedAt('176e7'), 'refused: malformed'],
    ['in hexadecimal', signedAt(`0x${NOW_SECONDS.toString(16)}`), 'refused: malformed'],
    ['as a date', signedAt(new Date(NOW).toISOString()), 'refused: malformed'],
    ['with white space', signedAt(` ${NOW_SECONDS}`), 'refused: malformed'],
    ['with a line feed', signedAt(`${NOW_SECONDS}\n`), 'refused: malformed'],
    ['in digits that are not ASCII', signedAt('١٧٦٠٠٠٠٠٠٠'), 'refused: malformed'],
    ['10 KB of digits', signedAt('1'.repeat(10_240)), 'refused: too-long'],
    ['absent', signedAt(`${NOW_SECONDS}`).slice(0, 2), 'refused: incomplete'],
    ['without a signature', signedAt(`${NOW_SECONDS}`).slice(2), 'refused: missing'],
    ['twice', [...signedAt(`${NOW_SECONDS}`), TIMESTAMP_HEADER, `${NOW_SECONDS}`], 'refused: repeated'],
    [
      'other than the one signed',
      [...signedAt(`${NOW_SECONDS}`).slice(0, 3), `${NOW_SECONDS + 1}`],
      'rejected: mismatch',
    ],
    [
      'the same in other digits than the ones signed',
      [...signedAt(`${NOW_SECONDS}`).slice(0, 3), `0${NOW_SECONDS}`],
      'rejected: mismatch',
    ],
    ['not signed', [SIGNATURE_HEADER, hmacHex(KEY, BODY), TIMESTAMP_HEADER, `${NOW_SECONDS}`], 'rejected: mismatch'],
    ['signature malformed', [SIGNATURE_HEADER, 'x', TIMESTAMP_HEADER, `${NOW_SECONDS}`], 'refused: malformed'],
  ])('timestamp %s', (_name, rawHeaders, outcome) => {
    expect(outcomeOf(authenticator, rawHeaders)).toBe(outcome);
  });

  test('a second counts until it is over', () => {
    const late = createAuthenticator(settingsOf(overrides), () => NOW + 999);
    expect(outcomeOf(late, signedAt(`${NOW_SECONDS - 300}`))).toBe('instantly:hmac:1');
    expect(outcomeOf(late, signedAt(`${NOW_SECONDS + 301}`))).toBe('refused: future');
  });

  test('the clock is read at each request, and is the real one by default', () => {
    const real = createAuthenticator(settingsOf(overrides));
    expect(outcomeOf(real, signedAt(`${Math.floor(Date.now() / 1000)}`))).toBe('instantly:hmac:1');
    let now = NOW;
    const moving = createAuthenticator(settingsOf(overrides), () => now);
    expect(outcomeOf(moving, signedAt(`${NOW_SECONDS}`))).toBe('instantly:hmac:1');
    now += 301_000;
    expect(outcomeOf(moving, signedAt(`${NOW_SECONDS}`))).toBe('refused: stale');
  });

  test('the tolerance is the configured one', () => {
    const strict = authenticatorOf({ ...overrides, toleranceSeconds: 1 });
    expect(outcomeOf(strict, signedAt(`${NOW_SECONDS - 1}`))).toBe('instantly:hmac:1');
    expect(outcomeOf(strict, signedAt(`${NOW_SECONDS - 2}`))).toBe('refused: stale');
  });
});
