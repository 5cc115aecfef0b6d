import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitPayloads } from '../../src/events/split-payloads.ts';
import { choices, jsonObject, jsonValue, render } from './events-json-forms.ts';

const NAME = 'payload';
const item = fc
  .tuple(jsonObject, fc.option(jsonValue))
  .map(([more, payload]) => (payload === null ? more : { ...more, [NAME]: payload, id: NAME }));
const page = fc
  .tuple(jsonObject, fc.array(item, { maxLength: 5 }))
  .map(([more, items]) => ({ ...more, [NAME]: { [NAME]: NAME }, items }));

interface Item {
  payload?: unknown;
}

/** As JSON.parse takes the whole. */
function unite(text: string): unknown {
  const { text: rest, payloads } = splitPayloads(text);
  const whole = JSON.parse(rest) as { items: Item[] };
  for (const one of whole.items) {
    if (one.payload !== undefined)
      one.payload = JSON.parse(Buffer.from(payloads[Number(one.payload)] ?? []).toString());
  }
  return whole;
}

describe('a page of the delivery log', () => {
  test('is the same when it is put together again, whatever it holds', () => {
    fc.assert(
      fc.property(page, fc.integer(), (whole, seed) => {
        // Names are written as Instantly writes them: with an escape a payload stays where it is.
        const text = render(whole, choices(seed)).replaceAll(/"(?:\\u00[67][0-9a-fA-F]|[a-z])*"(?=\s*:)/g, (name) =>
          JSON.stringify(JSON.parse(name)),
        );
        expect(unite(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });

  test('gives each payload as it is written', () => {
    const payload = '{ "n":12345678901234567890, "a":1, "a":"],}" }';
    const { text, payloads } = splitPayloads(`{"items":[{"id":"1","payload" : ${payload} ,"x":2},{"payload":[]}]}`);
    expect(JSON.parse(text)).toEqual({ items: [{ id: '1', payload: 0, x: 2 }, { payload: 1 }] });
    expect(payloads.map((bytes) => Buffer.from(bytes).toString())).toEqual([payload, '[]']);
  });

  test('that is cut off is no JSON', () => {
    const text = '{"items":[{"payload":{"a":[1,2,"x"]},"id":"1"}]}';
    for (let length = 0; length < text.length; length += 1)
      expect(() => JSON.parse(splitPayloads(text.slice(0, length)).text)).toThrow(SyntaxError);
  });
});
