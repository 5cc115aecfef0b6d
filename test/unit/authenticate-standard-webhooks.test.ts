import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { decodeStandardWebhooksKey } from '../../src/authenticate/standard-webhooks.ts';
import { authenticatorOf, BODY, NOW_SECONDS, outcomeOf } from './authenticate-support.ts';

const keyBytes = Buffer.from('a signing key of 32 bytes, first');
const oldKeyBytes = Buffer.from('a signing key of 32 bytes, older');
const KEY = `whsec_${keyBytes.toString('base64')}`;
const OLD_KEY = oldKeyBytes.toString('base64');

const authenticator = authenticatorOf({ keys: [KEY, OLD_KEY], signatureScheme: 'standard-webhooks' });

function sign(key: Uint8Array, id = 'msg_1', timestamp = `${NOW_SECONDS}`): string {
  const digest = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(BODY).digest('base64');
  return `v1,${digest}`;
}

function headers(signature: string, id = 'msg_1', timestamp = `${NOW_SECONDS}`): string[] {
  return ['webhook-id', id, 'webhook-timestamp', timestamp, 'webhook-signature', signature];
}

const right = sign(keyBytes);
const wrong = sign(Buffer.from('another'));
const withId = (id: string): string[] => headers(sign(keyBytes, id), id);
const withTimestamp = (timestamp: string): string[] => headers(sign(keyBytes, 'msg_1', timestamp), 'msg_1', timestamp);

describe('scheme standard-webhooks', () => {
  test.each([
    ['one right signature', headers(right), 'instantly:hmac:1'],
    ['the previous key', headers(sign(oldKeyBytes)), 'instantly:hmac:2'],
    ['both keys, the current one counts', headers(`${sign(oldKeyBytes)} ${right}`), 'instantly:hmac:1'],
    ['the right one twice', headers(`${right} ${right}`), 'instantly:hmac:1'],
    ['the right one after a wrong one', headers(`${wrong} ${right}`), 'instantly:hmac:1'],
    ['the right one after an asymmetric one', headers(`v1a,${'A'.repeat(86)}== ${right}`), 'instantly:hmac:1'],
    ['the right one after a malformed one', headers(`v1,@@ ${right}`), 'instantly:hmac:1'],
    ['the right one after two spaces', headers(`${wrong}  ${right}`), 'instantly:hmac:1'],
    ['the right one as the 16th', headers(`${`${wrong} `.repeat(15)}${right}`), 'instantly:hmac:1'],
    ['the right one as the 17th', headers(`${`${wrong} `.repeat(16)}${right}`), 'rejected: mismatch'],
    ['the right one under another version', headers(right.replace('v1', 'v2')), 'refused: malformed'],
    ['the right one without a version', headers(right.slice(3)), 'refused: malformed'],
    ['the version in upper case', headers(right.replace('v1', 'V1')), 'refused: malformed'],
    ['wrong', headers(wrong), 'rejected: mismatch'],
    ['right over another body', headers(sign(keyBytes, 'msg_2')), 'rejected: mismatch'],
    ['empty', headers(''), 'refused: malformed'],
    ['an empty one', headers('v1,'), 'refused: malformed'],
    ['31 bytes', headers(`v1,${Buffer.alloc(31).toString('base64')}`), 'refused: malformed'],
    ['33 bytes', headers(`v1,${Buffer.alloc(33).toString('base64')}`), 'refused: malformed'],
    ['in hex', headers(`v1,${Buffer.from(right.slice(3), 'base64').toString('hex')}`), 'refused: malformed'],
    ['without its padding', headers(right.replace('=', '')), 'refused: malformed'],
    ['10 KB long', headers(`${right} `.repeat(220)), 'refused: too-long'],
    ['absent', headers(right).slice(0, 4), 'refused: missing'],
    ['twice', [...headers(right), 'webhook-signature', right], 'refused: repeated'],
    ['id absent', headers(right).slice(2), 'refused: incomplete'],
    ['id twice', [...headers(right), 'Webhook-Id', 'msg_1'], 'refused: repeated'],
    ['id empty', withId(''), 'refused: malformed'],
    ['id with every sign that may be in one', withId('!"#$%&\'()*+,-/09:;<=>?@AZ[\\]^_`az{|}~'), 'instantly:hmac:1'],
    ['id as long as it may be', withId('x'.repeat(256)), 'instantly:hmac:1'],
    ['id longer', withId('x'.repeat(257)), 'refused: malformed'],
    ['id 10 KB long', withId('x'.repeat(10_240)), 'refused: too-long'],
    ['id with a full stop', withId('msg.1'), 'refused: malformed'],
    ['id with a space', withId('msg 1'), 'refused: malformed'],
    ['id beyond ASCII', withId('msgé'), 'refused: malformed'],
    ['timestamp absent', [...headers(right).slice(0, 2), ...headers(right).slice(4)], 'refused: incomplete'],
    ['timestamp twice', [...headers(right), 'webhook-timestamp', '1'], 'refused: repeated'],
    ['timestamp malformed', withTimestamp('soon'), 'refused: malformed'],
    ['timestamp just inside the past', withTimestamp(`${NOW_SECONDS - 300}`), 'instantly:hmac:1'],
    ['timestamp just outside the past', withTimestamp(`${NOW_SECONDS - 301}`), 'refused: stale'],
    ['timestamp just inside the future', withTimestamp(`${NOW_SECONDS + 300}`), 'instantly:hmac:1'],
    ['timestamp just outside the future', withTimestamp(`${NOW_SECONDS + 301}`), 'refused: future'],
    ['timestamp other than the one signed', headers(right, 'msg_1', `${NOW_SECONDS + 1}`), 'rejected: mismatch'],
  ])('%s', (_name, rawHeaders, outcome) => {
    expect(outcomeOf(authenticator, rawHeaders)).toBe(outcome);
  });

  test('one signature does not cover the same bytes parted elsewhere', () => {
    // Signed: id `msg_1`, the time, and a body that itself begins like a timestamp.
    const body = Buffer.from(`${NOW_SECONDS}.{}`);
    const signature = `v1,${createHmac('sha256', keyBytes).update(`msg_1.${NOW_SECONDS}.`).update(body).digest('base64')}`;
    expect(outcomeOf(authenticator, headers(signature), body)).toBe('instantly:hmac:1');
    const moved = headers(signature, `msg_1.${NOW_SECONDS}`);
    expect(outcomeOf(authenticator, moved, Buffer.from('{}'))).toBe('refused: malformed');
  });

  test('spare bits of the last character do not make a second signature', () => {
    // 32 bytes leave two bits of the last character unused; a lenient decoder takes four texts for the same bytes.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const last = alphabet.indexOf(right.charAt(right.length - 2));
    const twin = `${right.slice(0, -2)}${alphabet.charAt(last + 1)}=`;
    expect(Buffer.from(twin.slice(3), 'base64')).toEqual(Buffer.from(right.slice(3), 'base64'));
    expect(outcomeOf(authenticator, headers(twin))).toBe('refused: malformed');
  });
});

describe('a key of the scheme', () => {
  test.each([KEY, KEY.slice(6)])('is decoded, case %#', (key) => {
    expect(decodeStandardWebhooksKey(key)).toEqual(keyBytes);
  });

  test.each([
    ['nothing', ''],
    ['nothing after the prefix', 'whsec_'],
    ['only padding', 'whsec_===='],
    ['not base64', 'whsec_not base64 at all'],
    ['URL-safe base64', `whsec_${Buffer.alloc(24, 0xff).toString('base64url')}`],
    ['without its padding', KEY.replace('=', '')],
    ['the prefix twice', `whsec_${KEY}`],
    ['an asymmetric secret key', `whsk_${Buffer.alloc(64, 7).toString('base64')}`],
  ])('is refused: %s', (_name, key) => {
    expect(decodeStandardWebhooksKey(key)).toBeUndefined();
  });
});
