import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { verifyWebhookSignature } from '../../src/express.ts';

const hex = (payload: string | Uint8Array, secret: string): string =>
  createHmac('sha256', secret).update(payload).digest('hex');
const loose = verifyWebhookSignature as (...values: unknown[]) => boolean;

describe('verifyWebhookSignature', () => {
  test('knows the published vector of RFC 4231, test case 2', () => {
    const signature = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
    expect(verifyWebhookSignature('what do ya want for nothing?', signature, 'Jefe')).toBe(true);
  });

  test('takes bytes and text, a prefix, and either case', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ minLength: 1 }), (payload, secret) => {
        const signature = hex(payload, secret);
        for (const form of [signature, signature.toUpperCase(), `sha256=${signature}`]) {
          expect(verifyWebhookSignature(payload, form, secret)).toBe(true);
          expect(verifyWebhookSignature(Buffer.from(payload), form, secret)).toBe(true);
        }
        expect(verifyWebhookSignature(`${payload} `, signature, secret)).toBe(false);
        expect(verifyWebhookSignature(payload, signature, `${secret}x`)).toBe(false);
      }),
    );
  });

  test('is false for any other signature of any length, and never throws', () => {
    const signature = hex('{}', 'secret');
    const others = [
      '',
      'a',
      signature.slice(1),
      `${signature}0`,
      `${signature}\n`,
      ` ${signature}`,
      `sha1=${signature}`,
    ];
    const odd = [`${signature},${signature}`, '\u{1f4a9}'.repeat(32), `${signature.slice(2)}zz`, 'f'.repeat(1_000_000)];
    for (const other of [...others, ...odd]) expect(verifyWebhookSignature('{}', other, 'secret')).toBe(false);
  });

  test('is false for values of any other type, and never throws', () => {
    const right = ['{}', hex('{}', 'secret'), 'secret'];
    const values = fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withSparseArray: true });
    fc.assert(
      fc.property(values, fc.nat(2), (value, at) => {
        const given = right.map((one, index) => (index === at ? value : one));
        fc.pre(value !== right[at]);
        expect(loose(...given)).toBe(false);
      }),
    );
    for (const value of [undefined, null, Symbol('a'), () => 'a', new Proxy({}, {}), [right[1]]]) {
      expect(loose('{}', value, 'secret')).toBe(false);
      expect(loose(value, right[1], 'secret')).toBe(false);
      expect(loose('{}', right[1], value)).toBe(false);
    }
    expect(loose()).toBe(false);
  });

  test('lets nobody in by an empty secret', () => {
    expect(loose('{}', createHmac('sha256', '').update('{}').digest('hex'), '')).toBe(false);
  });
});
