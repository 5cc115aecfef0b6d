import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findWeakness, visibleBits } from '../../src/cli/doctor/secret-strength.ts';
import { makeSignatureKey, makeToken } from '../../src/config/make-secret.ts';

test.each<[string, ReturnType<typeof findWeakness>]>([
  // What people leave in place, from templates and READMEs.
  [['changeme', 'changeme', 'changeme'].join('-'), 'placeholder'],
  [['your', 'webhook', 'secret', 'goes', 'here'].join('-'), 'placeholder'],
  [['replace', 'this', 'with', 'a', 'long', 'random', 'secret'].join('-'), 'placeholder'],
  ['<your-token-goes-here>', 'placeholder'],
  [`\${${'INSTANTLY_WEBHOOK_TOKEN'}}`, 'placeholder'],
  ['/run/secrets/webhook-token', 'placeholder'],
  ['xxxxxxxxxxxxxxxxxxxxxxxx', 'placeholder'],
  ['f83bd0a9c1', 'short'],
  ['aaaabbbbccccddddeeee', 'placeholder'],
  ['qwqwerqwerqwqwerqwer', 'guessable'],
  ['qwfpqwfpqwfpqwfpqwfp', 'guessable'],
  ['9876543210zyxwvutsrq', 'guessable'],
  ['hunter2hunter2hunter2hunter2', 'guessable'],
  ['0101010101100101011001', 'guessable'],
])('%s is %s', (text, expected) => {
  expect(findWeakness(text)).toBe(expected);
});

test('what the commands make is never weak', () => {
  for (let times = 0; times < 500; times += 1) {
    expect(findWeakness(makeToken())).toBeUndefined();
    expect(findWeakness(makeSignatureKey('standard-webhooks').replace('whsec_', ''))).toBeUndefined();
  }
});

test.each([
  ['hex', 16],
  ['base64url', 15],
] as const)('chance in %s of %s bytes is seen as such', (encoding, bytes) => {
  for (let times = 0; times < 500; times += 1) {
    expect(visibleBits(randomBytes(bytes).toString(encoding))).toBeGreaterThan(44);
  }
});

test('saying the same again, or counting on, tells nothing new', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.integer({ min: 2, max: 5 }), (text, times) => {
      expect(visibleBits(text.repeat(times))).toBeCloseTo(visibleBits(text), 6);
      expect(visibleBits(text)).toBeGreaterThanOrEqual(0);
    }),
  );
  expect(visibleBits('abcdefghijklmnopqrstuvwxyz')).toBeLessThan(3);
});
