import { Buffer } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dedupUntil } from '../../src/events/dedup-key.ts';
import {
  choices,
  jsonObject,
  jsonValue,
  keyOf,
  referenceCanonical,
  render,
  sameJson,
  sha256,
} from './events-json-forms.ts';

describe('one payload has one key', () => {
  test('whatever the order of names, the white space, the forms of numbers and characters', () => {
    fc.assert(
      fc.property(jsonObject, fc.integer(), (payload, seed) => {
        expect(keyOf(render(payload, choices(seed)))).toBe(sha256(referenceCanonical(payload)));
      }),
      { numRuns: 1500 },
    );
  });

  test.each([
    ['the order of names', '{"a":1,"b":[{"c":2,"d":3}]}', '{"b":[{"d":3,"c":2}],"a":1}'],
    ['white space', '{"a":[1,{}]}', '\r\n{ "a"\t: [ 1 , { } ] }\n'],
    ['1.0', '{"a":1}', '{"a":1.0}'],
    ['1e0', '{"a":1}', '{"a":1e0}'],
    ['10e-1', '{"a":1}', '{"a":10e-1}'],
    ['-0', '{"a":0}', '{"a":-0}'],
    ['-0.0e5', '{"a":0}', '{"a":-0.0e5}'],
    ['a power of ten', '{"a":1e21}', '{"a":1000000000000000000000}'],
    ['escaped letters', '{"lead":"é/😀"}', String.raw`{"l\u0065ad":"\u00E9\/\uD83D\ude00"}`],
    ['a byte order mark', '{"a":1}', '\ufeff{"a":1}'],
  ])('%s', (_case, one, other) => {
    expect(keyOf(other)).toBe(keyOf(one));
  });

  test('the key of a long payload, which is hashed in pieces', () => {
    const payload = {
      html: '<p class="x">\u2019</p>'.repeat(9000),
      list: Array.from({ length: 9000 }, (_, i) => i / 8),
    };
    expect(keyOf(JSON.stringify(payload, null, 2))).toBe(sha256(referenceCanonical(payload)));
  });
});

describe('two payloads have two keys', () => {
  function expectDifferent(one: unknown, other: unknown, seed: number): void {
    fc.pre(!sameJson(one, other));
    const choose = choices(seed);
    expect(keyOf(render(one, choose))).not.toBe(keyOf(render(other, choose)));
  }

  test('of any values', () => {
    fc.assert(fc.property(jsonObject, jsonObject, fc.integer(), expectDifferent), { numRuns: 1000 });
  });

  test('of values so few that they nearly meet', () => {
    const atom = fc.constantFrom<unknown>(
      null,
      true,
      false,
      0,
      1,
      10,
      '',
      '0',
      '1',
      'null',
      'true',
      '{}',
      'é',
      'e\u0301',
    );
    const few = fc.oneof(atom, fc.array(atom, { maxLength: 2 }), fc.dictionary(fc.constantFrom('a', 'b', ''), atom));
    const close = fc.dictionary(fc.constantFrom('a', 'b', '1', 'é', 'e\u0301'), few, { maxKeys: 2 });
    fc.assert(fc.property(close, close, fc.integer(), expectDifferent), { numRuns: 3000 });
  });

  test('of one payload and the same with one leaf changed', () => {
    fc.assert(
      fc.property(jsonObject, jsonValue, fc.nat(), fc.integer(), (payload, leaf, place, seed) => {
        const known = { ...payload, last: 0 };
        expectDifferent(known, withLeafReplaced(known, place, leaf), seed);
      }),
      { numRuns: 1000 },
    );
  });

  test('of neighbouring doubles', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e308, max: 1e308 }),
        fc.integer(),
        (value, seed) => {
          expectDifferent({ a: value }, { a: nextDouble(value) }, seed);
        },
      ),
    );
  });

  test.each([
    ['a number and its text', '{"a":1}', '{"a":"1"}'],
    ['null and nothing', '{"a":null}', '{}'],
    ['null and its text', '{"a":null}', '{"a":"null"}'],
    ['an empty list and an empty object', '{"a":[]}', '{"a":{}}'],
    ['a value and a list of it', '{"a":1}', '{"a":[1]}'],
    ['a member inside and outside', '{"a":{"b":1},"c":2}', '{"a":{"b":1,"c":2}}'],
    ['a list in two and in one', '{"a":[[1],[2]]}', '{"a":[[1,2]]}'],
    ['another order of a list', '{"a":[1,2]}', '{"a":[2,1]}'],
    ['composed and decomposed letters', '{"a":"\u00e9"}', '{"a":"e\u0301"}'],
    ['composed and decomposed names', '{"\u00e9":1}', '{"e\u0301":1}'],
    ['upper and lower case', '{"a":"x"}', '{"a":"X"}'],
    ['white space in a string', '{"a":"x"}', '{"a":"x "}'],
    ['a quote and its escape', '{"a":"\\""}', '{"a":"\\\\\\""}'],
    ['minus one and one', '{"a":1}', '{"a":-1}'],
    ['the prototype name and nothing', '{"__proto__":{}}', '{}'],
    ['the prototype name and its member', '{"__proto__":{"a":1}}', '{"a":1}'],
    ['integers beyond a double', '{"a":9007199254740992}', '{"a":9007199254740993}'],
    ['two integers beyond a double', '{"a":12345678901234567890}', '{"a":12345678901234567891}'],
    ['too large and larger', '{"a":1e400}', '{"a":1e401}'],
    ['too large and null', '{"a":1e400}', '{"a":null}'],
    ['too small and nothing', '{"a":1e-400}', '{"a":0}'],
    ['two lone surrogates', '{"a":"\\ud800"}', '{"a":"\\ud801"}'],
    ['a lone surrogate and its replacement', '{"a":"\\ud800"}', '{"a":"\ufffd"}'],
    ['a name twice and once', '{"a":1,"a":2}', '{"a":2}'],
    ['a name twice with another first value', '{"a":1,"a":2}', '{"a":3,"a":2}'],
  ])('%s', (_case, one, other) => {
    expect(keyOf(one)).not.toBe(keyOf(other));
  });

  test('whose bytes are different and not UTF-8', () => {
    const ending = (byte: number) => Buffer.from([...Buffer.from('{"a":"'), byte, ...Buffer.from('"}')]);
    expect(keyOf(ending(0xff))).not.toBe(keyOf(ending(0xfe)));
  });
});

describe('the raw bytes are the key', () => {
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

  const hazards: [string, string][] = [
    ['a name twice', '{"a":1,"b":2,"a":3}'],
    ['a name twice with one value', '{"a":1,"a":1}'],
    ['a name twice in two spellings', '{"a":1,"\\u0061":1}'],
    ['the empty name twice', '{"":0,"":0}'],
    ['the prototype name twice', '{"__proto__":{},"__proto__":{}}'],
    ['a name twice inside what a later one replaces', '{"a":{"b":1,"b":2},"a":null}'],
    ['a number that another prints as', '0.1000000000000000055'],
    ['a whole number beyond 2^53', '12345678901234567890'],
    ['a number above every double', '1e400'],
    ['a number below every double', '-1e-400'],
    ['a lone high surrogate', '"\\ud83d"'],
    ['a lone low surrogate', '"x\\uDE00"'],
    ['a pair the wrong way round', '"\\ude00\\ud83d"'],
    ['a lone surrogate in a name', '{"\\ud83d":1}'],
    ['257 levels', deep(256)],
    ['100,000 levels', deep(100_000)],
  ];

  test.each(hazards)('for %s', (_case, hazard) => {
    for (const text of [`{"a":${hazard}}`, `{"x":[1,"\\"",{"y":${hazard}}],"z":{"w":":"}}`]) {
      expect(keyOf(text)).toBe(sha256(text));
      // Other bytes of the same sense are another event: seeing it twice is the lesser harm.
      expect(keyOf(`${text} `)).toBe(sha256(`${text} `));
    }
  });

  test('wherever in a payload it stands', () => {
    const mark = 'here stands the hazard';
    fc.assert(
      fc.property(
        jsonObject,
        fc.constantFrom(...hazards),
        fc.nat(),
        fc.integer(),
        (payload, [, hazard], place, seed) => {
          const marked = withLeafReplaced({ ...payload, last: 0 }, place, mark);
          const text = JSON.stringify(marked, null, choices(seed)(3)).replace(`"${mark}"`, () => hazard);
          expect(keyOf(text)).toBe(sha256(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('for what is not UTF-8, byte order mark and all', () => {
    const bytes = Buffer.concat([Buffer.from('\ufeff {"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(keyOf(bytes)).toBe(sha256(bytes));
  });

  test('but not for 256 levels', () => {
    const text = ` {"a":${deep(255)}}`;
    expect(keyOf(text)).toBe(sha256(text.trim()));
  });
});

describe('how long a key is remembered', () => {
  const RETENTION_MS = 30 * 86_400_000;
  const receivedAt = Date.UTC(2026, 8, 7);

  test('for the retention where the payload tells its time', () => {
    expect(dedupUntil({ timestamp: receivedAt - 1000 }, receivedAt, RETENTION_MS)).toBe(receivedAt + RETENTION_MS);
  });

  test('for an hour where it does not', () => {
    expect(dedupUntil({ timestamp: null }, receivedAt, RETENTION_MS)).toBe(receivedAt + 3_600_000);
  });

  test('for the retention there too where the operator refuses replays', () => {
    expect(dedupUntil({ timestamp: null }, receivedAt, RETENTION_MS, true)).toBe(receivedAt + RETENTION_MS);
  });
});

function nextDouble(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  // From zero of either sign, the neighbour of the positive one.
  view.setFloat64(0, value === 0 ? 0 : value);
  view.setBigUint64(0, view.getBigUint64(0) + 1n);
  return view.getFloat64(0);
}

/** The same value with one of its leaves, counted by `place`, replaced; empty containers are leaves. */
function withLeafReplaced(value: unknown, place: number, leaf: unknown): unknown {
  if (typeof value !== 'object' || value === null) return leaf;
  const members = Object.entries(value);
  const chosen = members[place % Math.max(members.length, 1)];
  if (chosen === undefined) return leaf;
  const [name, item] = chosen;
  const replaced = withLeafReplaced(item, Math.floor(place / members.length), leaf);
  if (Array.isArray(value)) return value.with(Number(name), replaced);
  return Object.fromEntries(members.map((member) => (member[0] === name ? [name, replaced] : member)));
}
