import { describe, expect, test } from '@jest/globals';
import {
  authenticatorOf,
  BODY,
  hmacHex,
  KEY,
  NOW_SECONDS,
  OLD_KEY,
  OLD_TOKEN,
  outcomeOf,
  SIGNATURE_HEADER,
  TIMESTAMP_HEADER,
  TOKEN,
  TOKEN_HEADER,
} from './authenticate-support.ts';

const configured = { keys: [KEY, OLD_KEY], tokens: [TOKEN, OLD_TOKEN] };
const rightSignature = [SIGNATURE_HEADER, hmacHex(KEY, BODY)];
const wrongSignature = [SIGNATURE_HEADER, '0'.repeat(64)];
const rightToken = [TOKEN_HEADER, TOKEN];
const wrongToken = [TOKEN_HEADER, 'some-other-shared-token1'];

describe('any', () => {
  const authenticator = authenticatorOf({ ...configured, require: 'any' });

  test.each([
    ['both right', [...rightSignature, ...rightToken], 'instantly:hmac:1+instantly:token:1'],
    [
      'both previous',
      [SIGNATURE_HEADER, hmacHex(OLD_KEY, BODY), TOKEN_HEADER, OLD_TOKEN],
      'instantly:hmac:2+instantly:token:2',
    ],
    ['signature right, token wrong', [...rightSignature, ...wrongToken], 'instantly:hmac:1'],
    ['signature right, token repeated', [...rightSignature, ...rightToken, ...rightToken], 'instantly:hmac:1'],
    ['signature right, token absent', rightSignature, 'instantly:hmac:1'],
    ['signature wrong, token right', [...wrongSignature, ...rightToken], 'instantly:token:1 (signature mismatch)'],
    [
      'signature malformed, token right',
      [SIGNATURE_HEADER, 'x', ...rightToken],
      'instantly:token:1 (signature mismatch)',
    ],
    ['signature empty, token right', [SIGNATURE_HEADER, '', ...rightToken], 'instantly:token:1 (signature mismatch)'],
    [
      'signature too long, token right',
      [SIGNATURE_HEADER, 'a'.repeat(5000), ...rightToken],
      'instantly:token:1 (signature mismatch)',
    ],
    [
      'signature repeated, token right',
      [...rightSignature, ...rightSignature, ...rightToken],
      'instantly:token:1 (signature mismatch)',
    ],
    ['signature absent, token right', rightToken, 'instantly:token:1'],
    ['both wrong', [...wrongSignature, ...wrongToken], 'rejected: mismatch'],
    ['signature malformed, token absent', [SIGNATURE_HEADER, 'x'], 'refused: malformed'],
    ['signature malformed, token wrong', [SIGNATURE_HEADER, 'x', ...wrongToken], 'refused: malformed'],
    ['signature absent, token wrong', wrongToken, 'refused: mismatch'],
    ['both absent', [], 'refused: missing'],
  ])('%s', (_name, rawHeaders, outcome) => {
    expect(outcomeOf(authenticator, rawHeaders)).toBe(outcome);
  });

  test.each([
    ['a stale timestamp', [TIMESTAMP_HEADER, `${NOW_SECONDS - 301}`], ' (signature mismatch)'],
    ['no timestamp', [], ' (signature mismatch)'],
  ])('a signature with %s beside a right token', (_name, timestamp, suffix) => {
    const timestamped = authenticatorOf({ ...configured, signatureScheme: 'timestamped' });
    expect(outcomeOf(timestamped, [...wrongSignature, ...timestamp, ...rightToken])).toBe(`instantly:token:1${suffix}`);
  });

  test('a timestamp without a signature beside a right token is no failed signature', () => {
    const timestamped = authenticatorOf({ ...configured, signatureScheme: 'timestamped' });
    expect(outcomeOf(timestamped, [TIMESTAMP_HEADER, '0', ...rightToken])).toBe('instantly:token:1');
  });
});

describe('both', () => {
  const authenticator = authenticatorOf({ ...configured, require: 'both' });

  test.each([
    ['both right', [...rightSignature, ...rightToken], 'instantly:hmac:1+instantly:token:1'],
    ['signature right, token wrong', [...rightSignature, ...wrongToken], 'refused: mismatch'],
    ['signature wrong, token right', [...wrongSignature, ...rightToken], 'rejected: mismatch'],
    ['both wrong', [...wrongSignature, ...wrongToken], 'refused: mismatch'],
    ['signature right, token absent', rightSignature, 'refused: missing'],
    ['signature absent, token right', rightToken, 'refused: missing'],
    ['signature malformed, token right', [SIGNATURE_HEADER, 'x', ...rightToken], 'refused: malformed'],
    ['both absent', [], 'refused: missing'],
  ])('%s', (_name, rawHeaders, outcome) => {
    expect(outcomeOf(authenticator, rawHeaders)).toBe(outcome);
  });
});

describe('what the headers alone decide', () => {
  const any = authenticatorOf({ ...configured, require: 'any' });
  const both = authenticatorOf({ ...configured, require: 'both' });

  test.each([
    ['any, token right', any, rightToken, { verdict: 'proven', tokenProven: true }],
    [
      'any, token right, signature wrong',
      any,
      [...wrongSignature, ...rightToken],
      { verdict: 'proven', tokenProven: true },
    ],
    ['any, signature to be checked', any, wrongSignature, { verdict: 'pending', tokenProven: false }],
    [
      'any, token wrong, signature to be checked',
      any,
      [...wrongSignature, ...wrongToken],
      { verdict: 'pending', tokenProven: false },
    ],
    ['any, nothing', any, [], { verdict: 'refused', reason: 'missing' }],
    ['both, token right', both, [...wrongSignature, ...rightToken], { verdict: 'pending', tokenProven: true }],
    ['both, token wrong', both, [...rightSignature, ...wrongToken], { verdict: 'refused', reason: 'mismatch' }],
  ])('%s', (_name, authenticator, rawHeaders, inspection) => {
    expect(authenticator.inspectHeaders(rawHeaders)).toEqual(inspection);
  });
});
