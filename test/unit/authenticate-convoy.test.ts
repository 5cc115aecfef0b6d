import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { authenticatorOf, BODY, hmacHex, KEY, NOW_SECONDS, OLD_KEY, outcomeOf } from './authenticate-support.ts';

const authenticator = authenticatorOf({ keys: [KEY, OLD_KEY], signatureScheme: 'convoy' });
const ask = (value: string, body: Uint8Array = BODY) => outcomeOf(authenticator, ['X-Convoy-Signature', value], body);

const signedAt = (seconds: number | string, key = KEY): string => hmacHex(key, BODY, `${seconds},`);
const right = signedAt(NOW_SECONDS);
const t = `t=${NOW_SECONDS}`;
const sha512 = createHmac('sha512', KEY).update(`${NOW_SECONDS},`).update(BODY).digest('hex');

describe('scheme convoy', () => {
  test.each([
    ['advanced', `${t},v1=${right}`, 'instantly:hmac:1'],
    ['as its documentation breaks it', `${t},\n v1=${right},\n v0=${'0'.repeat(64)}`, 'instantly:hmac:1'],
    ['spaces around', ` ${t} , v1 = ${right.toUpperCase()} `, 'instantly:hmac:1'],
    ['the previous key', `${t},v1=${signedAt(NOW_SECONDS, OLD_KEY)}`, 'instantly:hmac:2'],
    ['a newer version beside one of another hash', `${t},v1=${sha512},v2=${right}`, 'instantly:hmac:1'],
    ['another hash alone', `${t},v1=${sha512}`, 'refused: malformed'],
    ['stale', `t=${NOW_SECONDS - 301},v1=${signedAt(NOW_SECONDS - 301)}`, 'refused: stale'],
    ['future', `t=${NOW_SECONDS + 301},v1=${signedAt(NOW_SECONDS + 301)}`, 'refused: future'],
    ['two timestamps', `${t},t=${NOW_SECONDS - 1},v1=${right}`, 'refused: repeated'],
    ['timestamp empty', `t=,v1=${right}`, 'refused: malformed'],
    ['a name that merely holds a v', `${t},av1=${right}`, 'refused: malformed'],
    ['over the body alone', `${t},v1=${hmacHex(KEY, BODY)}`, 'rejected: mismatch'],
    ['with a full stop', `${t},v1=${hmacHex(KEY, BODY, `${NOW_SECONDS}.`)}`, 'rejected: mismatch'],
    ['the right one as the 17th', `${t},${`v1=${'0'.repeat(64)},`.repeat(16)}v1=${right}`, 'rejected: mismatch'],
    ['simple', hmacHex(KEY, BODY), 'instantly:hmac:1'],
    ['simple, over a timestamp', right, 'rejected: mismatch'],
    ['empty', '', 'refused: malformed'],
    ['hex that is base64 by its letters', 'a'.repeat(44), 'refused: malformed'],
    ['10 KB long', `${t},${`v1=${right},`.repeat(160)}`, 'refused: too-long'],
  ])('%s', (_name, value, outcome) => {
    expect(ask(value)).toBe(outcome);
  });

  test('an advanced signature proves no other body for ever, taken for a simple one', () => {
    const body = Buffer.concat([Buffer.from(`${NOW_SECONDS},`), BODY]);
    expect(hmacHex(KEY, body)).toBe(right);
    expect(ask(right, body)).toBe('rejected: mismatch');
    expect(ask(hmacHex(KEY, Buffer.from('[1,2]')), Buffer.from('[1,2]'))).toBe('instantly:hmac:1');
  });
});
