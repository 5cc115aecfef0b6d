import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { scanJson } from '../../src/events/scan-json.ts';
import { choices, jsonValue, render } from './events-json-forms.ts';

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, item) => sum + countMembers(item), own);
}

test('counts the members of any text, whatever its strings hold', () => {
  fc.assert(
    fc.property(jsonValue, fc.integer(), (value, seed) => {
      expect(scanJson(render(value, choices(seed)))).toEqual({ members: countMembers(value), exactNumbers: true });
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['names written twice', '{"a":1,"a":{"b":2,"b":3}}', 4],
  ['colons in strings', '{"a:b":":","c":["::",":"]}', 2],
  ['escaped quotes', String.raw`{"a\":":"\\\":","b":"\\","c\\\\":"\"\"\\\""}`, 3],
  ['an empty string', '{"":""}', 1],
])('counts %s', (_case, text, members) => {
  expect(scanJson(text)).toEqual({ members, exactNumbers: true });
});

test.each(['[1e400]', '{"a":[true,{"b":12345678901234567890}]}', '-0.1000000000000000055', '[0,1e-400,0]'])(
  'finds the number that JSON.parse changes in %s',
  (text) => {
    expect(scanJson(text).exactNumbers).toBe(false);
  },
);

test.each(['["1e400"]', '{"12345678901234567890":"0.1000000000000000055"}', '[1.0,-0,10e-1,true,false,null]'])(
  'finds none in %s',
  (text) => {
    expect(scanJson(text).exactNumbers).toBe(true);
  },
);

test('ends on a string without an end', () => {
  expect(scanJson('{"a":"b')).toEqual({ members: 1, exactNumbers: true });
});
