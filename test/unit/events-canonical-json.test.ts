import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_CANONICAL_DEPTH, writeCanonicalJson } from '../../src/events/canonical-json.ts';
import { jsonValue, referenceCanonical } from './events-json-forms.ts';

function canonical(value: unknown): string | undefined {
  const pieces: string[] = [];
  return writeCanonicalJson(value, (piece) => pieces.push(piece)) === undefined ? undefined : pieces.join('');
}

function fromBits(hex: string): number {
  return new DataView(Uint8Array.from(Buffer.from(hex, 'hex')).buffer).getFloat64(0);
}

function nested(levels: number): unknown {
  let value: unknown = 'inside';
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

test.each([['1e999'], ['[-1e999]'], ['{"a":1e999}'], ['{"a":{"b":-1e999}}']])(
  '%s has no form: no double holds the number',
  (text) => {
    expect(canonical(JSON.parse(text))).toBeUndefined();
  },
);

test.each([199, 200, 201, 5_000])('a flat object of %i names has the form of any other', (count) => {
  const object = Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]));
  expect(canonical(object)).toBe(referenceCanonical(object));
  expect(canonical({ ...object, z: '\ud800' })).toBeUndefined();
});

describe('the examples of RFC 8785', () => {
  test('section 3.2.2: numbers, strings and literals', () => {
    const text = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonical(JSON.parse(text))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('section 3.2.3: the order of names', () => {
    const text = String.raw`{
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }`;
    const values = [...(canonical(JSON.parse(text)) ?? '').matchAll(/:"([^"]+)"/g)].map(([, value]) => value);
    expect(values).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('appendix B: the double %s is %s', (bits, expected) => {
    expect(canonical(fromBits(bits))).toBe(expected);
  });

  test.each(['7fffffffffffffff', '7ff0000000000000'])('appendix B: the double %s has no form', (bits) => {
    expect(canonical(fromBits(bits))).toBeUndefined();
  });
});

test('agrees with a plain recursive implementation, whatever the value', () => {
  fc.assert(
    fc.property(jsonValue, (value) => {
      expect(canonical(value)).toBe(referenceCanonical(value));
    }),
    { numRuns: 1000 },
  );
});

test('writes a long value in pieces that together are the whole', () => {
  const value = { long: Array.from({ length: 3000 }, (_, index) => ({ index, text: 'é'.repeat(index % 7) })) };
  const pieces: string[] = [];
  writeCanonicalJson(value, (piece) => pieces.push(piece));
  expect(pieces.length).toBeGreaterThan(5);
  expect(pieces.join('')).toBe(referenceCanonical(value));
});

test('counts the members of every object', () => {
  const value = JSON.parse('{"a":{"b":[{"c":1},{"c":1,"__proto__":{}}]},"d":{}}');
  expect(writeCanonicalJson(value, () => undefined)).toBe(6);
});

test('takes __proto__ for a name like any other', () => {
  expect(canonical(JSON.parse('{"z":1,"__proto__":{"a":2}}'))).toBe('{"__proto__":{"a":2},"z":1}');
});

test.each([
  ['a high one in a string', ['\ud800']],
  ['a low one in a string', ['a\udc00b']],
  ['a pair the wrong way round', ['\ude00\ud83d']],
  ['one in a name', { '\ud800': 1 }],
])('has no form for a lone surrogate: %s', (_case, value) => {
  expect(canonical(value)).toBeUndefined();
});

test('ends at its depth, not at the stack', () => {
  expect(canonical(nested(MAX_CANONICAL_DEPTH))).toBe(referenceCanonical(nested(MAX_CANONICAL_DEPTH)));
  expect(canonical(nested(MAX_CANONICAL_DEPTH + 1))).toBeUndefined();
  expect(canonical(nested(100_000))).toBeUndefined();
});
