import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toJson } from '../../src/cli/print.ts';
import { printable, printableLines } from '../../src/cli/printable.ts';

const INVISIBLE: readonly (readonly [string, string, string])[] = [
  ['a soft hyphen', 'no\u00adra@northwind.example', 'no\\u00adra@northwind.example'],
  ['a zero-width space', 'nora\u200b@northwind.example', 'nora\\u200b@northwind.example'],
  ['a zero-width joiner', 'nora\u200d@x.example', 'nora\\u200d@x.example'],
  ['a word joiner', 'nora\u2060@x.example', 'nora\\u2060@x.example'],
  ['a byte order mark', '\ufeffnora@x.example', '\\ufeffnora@x.example'],
  ['a reversal of direction', 'nora\u202emoc.x@', 'nora\\u202emoc.x@'],
  ['an Arabic letter mark', '\u061cnora', '\\u061cnora'],
  ['a tag, above U+FFFF', 'nora\u{e0061}', 'nora\\udb40\\udc61'],
  ['a Hangul filler, which is a letter', 'nora\u3164', 'nora\\u3164'],
  ['a variation selector', 'nora\ufe0e', 'nora\\ufe0e'],
  ['an escape sequence', '\u001b[2Jnora', '\\u001b[2Jnora'],
  ['a C1 control', '\u009b2Jnora', '\\u009b2Jnora'],
  ['a line separator', 'a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
];

describe('invisible characters are shown escaped', () => {
  test.each(INVISIBLE)('%s', (_, text, shown) => {
    expect(printable(text)).toBe(shown);
    expect(printableLines(text)).toBe(shown);
    expect(toJson(text)).toBe(`"${shown}"`);
  });

  test('what can be seen stays as it is', () => {
    for (const text of ['Jürgen Müller', '野田', 'a-b_c@x.example', '👍🏽', 'ελληνικά'])
      expect(printable(text)).toBe(text);
  });

  test('of all of Cf nothing passes, and JSON reads back what was written', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(text, (value) => {
        expect(printable(value)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(JSON.parse(toJson({ value }))).toEqual({ value });
      }),
    );
  });
});
