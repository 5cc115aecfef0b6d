import { describe, expect, test } from '@jest/globals';
import {
  authenticatorOf,
  BODY,
  hmacHex,
  KEY,
  OLD_KEY,
  outcomeOf,
  SIGNATURE_HEADER,
  TIMESTAMP_HEADER,
} from './authenticate-support.ts';

const authenticator = authenticatorOf({ keys: [KEY, OLD_KEY] });
const right = hmacHex(KEY, BODY);
const signed = (signature: string): string[] => [SIGNATURE_HEADER, signature];

describe('scheme body', () => {
  test.each([
    ['plain', signed(right), 'instantly:hmac:1'],
    ['upper case', signed(right.toUpperCase()), 'instantly:hmac:1'],
    ['prefixed', signed(`sha256=${right}`), 'instantly:hmac:1'],
    ['prefixed, all in upper case', signed(`SHA256=${right.toUpperCase()}`), 'instantly:hmac:1'],
    ['with a header name in other case', ['X-Instantly-SIGNATURE', right], 'instantly:hmac:1'],
    ['of the previous key', signed(hmacHex(OLD_KEY, BODY)), 'instantly:hmac:2'],
    ['among other headers', ['host', 'a', ...signed(right), 'accept', '*/*'], 'instantly:hmac:1'],
    [
      'beside a timestamp, which this scheme does not read',
      [...signed(right), TIMESTAMP_HEADER, 'x'],
      'instantly:hmac:1',
    ],
    ['absent', [], 'refused: missing'],
    ['only the value of another header', ['x-other', SIGNATURE_HEADER, 'x-more', right], 'refused: missing'],
    ['empty', signed(''), 'refused: malformed'],
    ['one digit short', signed(right.slice(1)), 'refused: malformed'],
    ['one digit long', signed(`${right}0`), 'refused: malformed'],
    ['two digits long', signed(`${right}00`), 'refused: malformed'],
    ['10 KB long', signed('a'.repeat(10_240)), 'refused: too-long'],
    ['as long as a header may be', signed('a'.repeat(4096)), 'refused: malformed'],
    ['one character longer', signed('a'.repeat(4097)), 'refused: too-long'],
    ['not hex', signed(`${right.slice(1)}g`), 'refused: malformed'],
    ['not hex at the start', signed(`g${right.slice(1)}`), 'refused: malformed'],
    ['in base64', signed(Buffer.from(right, 'hex').toString('base64')), 'refused: malformed'],
    ['with another prefix', signed(`sha1=${right}`), 'refused: malformed'],
    ['with the prefix twice', signed(`sha256=sha256=${right}`), 'refused: malformed'],
    ['with white space before it', signed(` ${right}`), 'refused: malformed'],
    ['with a line feed after it', signed(`${right}\n`), 'refused: malformed'],
    ['followed by another', signed(`${right},${right}`), 'refused: malformed'],
    ['twice the same', [...signed(right), ...signed(right)], 'refused: repeated'],
    ['twice in different case', [...signed(right), 'X-INSTANTLY-SIGNATURE', 'x'], 'refused: repeated'],
    ['wrong', signed('0'.repeat(64)), 'rejected: mismatch'],
    ['of an unknown key', signed(hmacHex('some-other-signing-key', BODY)), 'rejected: mismatch'],
  ])('signature %s', (_name, rawHeaders, outcome) => {
    expect(outcomeOf(authenticator, rawHeaders)).toBe(outcome);
  });

  test.each([
    ['a byte order mark added', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), BODY])],
    ['white space added inside', Buffer.from(BODY.toString().replace(':', ': '))],
    ['a line feed added', Buffer.concat([BODY, Buffer.from('\n')])],
    ['UTF-16', Buffer.from(BODY.toString(), 'utf16le')],
    ['Latin-1', Buffer.from(BODY.toString(), 'latin1')],
    ['the keys in other order', Buffer.from('{"reply_text":"Grüße","event_type":"reply_received"}')],
    ['nothing left', Buffer.alloc(0)],
  ])('right over other bytes: %s', (_name, body) => {
    expect(outcomeOf(authenticator, signed(right), body)).toBe('rejected: mismatch');
  });

  test('bytes that are no text are signed as they are', () => {
    const replaced = Buffer.from([0x7b, 0xff, 0x7d]);
    const other = Buffer.from([0x7b, 0xfe, 0x7d]);
    expect(outcomeOf(authenticator, signed(hmacHex(KEY, replaced)), replaced)).toBe('instantly:hmac:1');
    expect(outcomeOf(authenticator, signed(hmacHex(KEY, replaced)), other)).toBe('rejected: mismatch');
  });

  test('a view into a larger buffer is signed within its bounds', () => {
    const view = new Uint8Array(Buffer.concat([Buffer.from('xx'), BODY, Buffer.from('yy')])).subarray(
      2,
      2 + BODY.length,
    );
    expect(outcomeOf(authenticator, signed(right), view)).toBe('instantly:hmac:1');
  });

  test('a key beyond ASCII counts as its UTF-8 bytes', () => {
    const key = 'schlüssel-für-alle-fälle';
    const header = signed(hmacHex(Buffer.from(key, 'utf8'), BODY));
    expect(outcomeOf(authenticatorOf({ keys: [key] }), header)).toBe('instantly:hmac:1');
  });

  test('the key itself is no signature, and the token is no key', () => {
    expect(outcomeOf(authenticator, signed(KEY))).toBe('refused: malformed');
    const both = authenticatorOf({ keys: [KEY], tokens: ['some-shared-token-001'] });
    expect(outcomeOf(both, signed(hmacHex('some-shared-token-001', BODY)))).toBe('rejected: mismatch');
  });
});
