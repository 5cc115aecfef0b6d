import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { describeError } from '../../src/dispatch/describe-error.ts';
import { maskText } from '../../src/dispatch/mask-text.ts';

describe('maskText', () => {
  test.each([
    ['no contact Jane.Doe+x@lead.example here', 'no contact [address] here'],
    ['<jane@lead.example>, "bob@lead.example"', '<[address]>, "[address]"'],
    ['GET /contacts?email=jane%40lead.example&x=1', 'GET [address]'],
    ['bounce+jane=lead.example@relay.example', '[address]'],
    ['jörg@büro.example', '[address]'],
    ['Authorization: Bearer abc.def-ghi', 'Authorization: [masked] [masked]'],
    ['sent Bearer abc.def-ghi twice', 'sent Bearer [masked] twice'],
    ['https://user:pass@db.example/x', 'https://user:[address]'],
    ['?api_key=abc&n=1', '?api_key=[masked]&n=1'],
    ['{"password":"hunter2"}', '{"password":"[masked]"}'],
    ['key sk_live_4eC39HqLyjWDarjtT1zdp7dc was refused', 'key [masked] was refused'],
    ['no deal 0198c6a2-6f4e-7c3e-8a51-0f3d2b1c4e5f', 'no deal 0198c6a2-6f4e-7c3e-8a51-0f3d2b1c4e5f'],
    ['UnsupportedOperationInThisVersion', 'UnsupportedOperationInThisVersion'],
    ['connect ECONNREFUSED 127.0.0.1:5432', 'connect ECONNREFUSED 127.0.0.1:5432'],
  ])('%s', (text, masked) => {
    expect(maskText(text)).toBe(masked);
  });

  test('leaves no address, wherever it stands', () => {
    fc.assert(
      fc.property(fc.string(), fc.emailAddress(), fc.string(), (before, address, after) => {
        expect(maskText(`${before} ${address} ${after}`)).not.toContain(address);
      }),
    );
  });
});

describe('describeError', () => {
  const text = (thrown: unknown): string => describeError(thrown, '/handlers/crm.ts').text;

  test('is one line of 500 characters at the most', () => {
    expect(text(new Error('two\n  lines\tand a tab'))).toBe('Error: two lines and a tab');
    expect(text(new Error('x '.repeat(10_000)))).toHaveLength(500);
    expect(text(new Error('😀'.repeat(5_000))).isWellFormed()).toBe(true);
    expect(text(new Error('nul \0'))).toBe('Error: nul \ufffd');
  });

  test('leaves no part of an address at the end of what is read', () => {
    for (const pad of [3_970, 3_975, 3_980, 3_985, 3_990]) {
      // Spaces collapse, so the address would move into what is kept.
      expect(text(new Error(`${' '.repeat(pad)}janedoe@lead.example`))).not.toContain('janed');
    }
  });

  test('names the reason behind a failed fetch', () => {
    const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    expect(text(new TypeError('fetch failed', { cause }))).toBe('TypeError: fetch failed (ECONNREFUSED)');
    expect(text(Object.assign(new Error('x'), { code: 'jane' }))).toBe('Error: x');
  });

  test.each([
    [undefined, 'thrown without an Error: undefined'],
    [42, 'thrown without an Error: 42'],
    [{ email: 'jane@lead.example' }, 'thrown without an Error: { email: [address] }'],
  ])('tells of %p', (thrown, told) => {
    expect(text(thrown).replaceAll("'", '')).toBe(told);
  });

  test('tells of anything, however it resists', () => {
    const resisting = new Error('x');
    Object.defineProperty(resisting, 'message', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(text(resisting)).toBe('an error that cannot be read was thrown');
    fc.assert(fc.property(fc.anything(), (thrown) => text(thrown).length <= 500));
  });

  test('gives the place in the handler file, and no other', () => {
    const error = new Error('jane@lead.example /crm.ts:secret');
    error.stack = `Error: jane\n    at deal (file:///handlers/lib/api.ts:3:1)\n    at handle (file:///handlers/crm.ts:12:9)`;
    expect(describeError(error, '/handlers/crm.ts').where).toBe('crm.ts:12:9');
    error.stack = 'Error: x\n    at node:internal';
    expect(describeError(error, '/handlers/crm.ts')).not.toHaveProperty('where');
  });
});
