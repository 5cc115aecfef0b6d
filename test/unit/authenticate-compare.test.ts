import { describe, expect, test } from '@jest/globals';
import { blind, firstMatch } from '../../src/authenticate/compare.ts';

const [a, b, c] = ['a', 'b', 'c'].map((text) => Buffer.from(text.repeat(32))) as [Buffer, Buffer, Buffer];

describe('firstMatch', () => {
  test.each([
    ['the first', [a], [a, b], 1],
    ['the second', [b], [a, b], 2],
    ['the first of two equal ones', [b], [a, b, b], 2],
    ['none', [c], [a, b], 0],
    ['nothing expected', [a], [], 0],
    ['no candidate', [], [a, b], 0],
    ['any candidate, at the first place expected', [c, b, a], [a, b], 1],
    ['two equal candidates', [b, b], [a, b], 2],
    ['the last candidate', [c, c, b], [a, b], 2],
    ['the first candidate', [b, c, c], [a, b], 2],
    ['a shorter one, without throwing', [a.subarray(1)], [a], 0],
    ['a longer one, without throwing', [Buffer.concat([a, a])], [a], 0],
    ['an empty one, without throwing', [Buffer.alloc(0)], [a, b], 0],
  ])('%s', (_name, candidates, expected, position) => {
    expect(firstMatch(candidates, expected)).toBe(position);
  });

  test('compares every pair, wherever the match is', () => {
    const watch = (values: readonly Buffer[], seen: PropertyKey[]): readonly Buffer[] =>
      new Proxy(values, {
        get(target, property) {
          if (typeof property === 'string' && /^[0-9]+$/.test(property)) seen.push(property);
          return Reflect.get(target, property);
        },
      });
    const candidatesSeen: PropertyKey[] = [];
    const expectedSeen: PropertyKey[] = [];
    expect(firstMatch(watch([a, b], candidatesSeen), watch([a, b, c], expectedSeen))).toBe(1);
    expect(expectedSeen).toEqual(['0', '1', '2']);
    expect(candidatesSeen).toEqual(['0', '1', '0', '1', '0', '1']);
  });
});

describe('blind', () => {
  test('gives equal values equal digests of one length, and others others', () => {
    expect(blind(a)).toEqual(blind(Buffer.from(a)));
    expect(blind(a)).not.toEqual(blind(b));
    expect([Buffer.alloc(0), a, Buffer.alloc(5000)].map((value) => blind(value).length)).toEqual([32, 32, 32]);
  });
});
