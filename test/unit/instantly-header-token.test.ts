import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createTokenReader } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import { digestOf, headerValue, tokenOf, withToken } from '../../src/instantly/header-token.ts';

const TOKEN = 'token-of-this-test-0001';

describe('the token that a webhook carries', () => {
  test.each([
    ['x-webhook-secret', { 'x-webhook-secret': TOKEN }, TOKEN],
    ['x-webhook-secret', { 'X-Webhook-SECRET': TOKEN }, TOKEN],
    ['x-webhook-secret', { 'x-webhook-secret': `Bearer ${TOKEN}` }, `Bearer ${TOKEN}`],
    ['x-webhook-secret', { 'x-other': TOKEN }, undefined],
    ['x-webhook-secret', { 'x-webhook-secret': '' }, undefined],
    ['x-webhook-secret', { 'x-webhook-secret': 7 }, undefined],
    ['x-webhook-secret', null, undefined],
    ['x-webhook-secret', undefined, undefined],
    ['authorization', { Authorization: `Bearer ${TOKEN}` }, TOKEN],
    ['authorization', { authorization: `bearer   ${TOKEN}` }, TOKEN],
    ['authorization', { authorization: TOKEN }, TOKEN],
    [
      'authorization',
      { authorization: `Basic ${Buffer.from('user:password-0001').toString('base64')}` },
      'user:password-0001',
    ],
    ['authorization', { authorization: 'Bearer ' }, 'Bearer '],
  ])('in %s of %j', (header, headers, token) => {
    expect(tokenOf({ headers }, header)).toBe(token);
    expect(digestOf({ headers }, header) === undefined).toBe(token === undefined);
  });

  test('set in place of another keeps everything else, under one name', () => {
    const headers = { 'X-Webhook-Secret': 'old', 'x-kept': 'as it is', 'x-odd': 3 };
    expect(withToken({ headers }, 'x-webhook-secret', TOKEN)).toEqual({
      'x-kept': 'as it is',
      'x-odd': '3',
      'x-webhook-secret': TOKEN,
    });
    expect(withToken({}, 'authorization', TOKEN)).toEqual({ authorization: `Bearer ${TOKEN}` });
    expect(withToken({ headers: null }, 'x-webhook-secret', TOKEN)).toEqual({ 'x-webhook-secret': TOKEN });
  });

  test('is read by us as a receiver reads it, whatever is set', () => {
    const token = fc.stringMatching(/^[\x21-\x7e]{16,40}$/);
    fc.assert(
      fc.property(token, fc.constantFrom('x-webhook-secret', 'authorization'), (text, header) => {
        const headers = withToken({}, header, text);
        expect(tokenOf({ headers }, header)).toBe(text);
        expect(headers[header]).toBe(headerValue(header, text));
        const isLetIn = createTokenReader([new Secret(text)], header);
        expect(isLetIn([header, String(headers[header])])).toBe(1);
      }),
    );
  });
});
