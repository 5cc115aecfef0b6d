import { Buffer } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dedupKey } from '../../src/events/dedup-key.ts';
import { parseBody } from '../../src/events/parse-body.ts';
import { readEvent } from '../../src/events/read-event.ts';
import { choices, jsonObject, readable, render } from './events-json-forms.ts';

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

describe('a body that is no JSON object', () => {
  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['a form', 'event_type=reply_received&lead_email=a%40b.example'],
    ['half an object', '{"event_type":"reply_received"'],
    ['an object and more', '{} {}'],
    ['single quotes', "{'a':1}"],
    ['a trailing comma', '{"a":1,}'],
    ['NaN', '{"a":NaN}'],
    ['a raw line break in a string', '{"a":"\n"}'],
    ['two byte order marks', '\ufeff\ufeff{}'],
  ])('%s is not JSON', (_case, text) => {
    expect(parseBody(Buffer.from(text))).toEqual({ ok: false, reason: 'not-json' });
  });

  test('a byte order mark alone is not JSON', () => {
    expect(parseBody(BOM)).toEqual({ ok: false, reason: 'not-json' });
  });

  test('UTF-16 is not JSON', () => {
    expect(parseBody(Buffer.from('\ufeff{"a":1}', 'utf16le'))).toEqual({ ok: false, reason: 'not-json' });
  });

  test.each(['[]', '[{}]', 'null', 'true', '"text"', '1', '1e400'])('%s is not an object', (text) => {
    expect(parseBody(Buffer.from(text))).toEqual({ ok: false, reason: 'not-an-object' });
  });
});

describe('a body that is one', () => {
  test('is read whatever its fields', () => {
    const bytes = Buffer.from(' {"event_type":7,"x":{"y":[null]}}\n');
    expect(parseBody(bytes)).toEqual({
      ok: true,
      payload: { event_type: 7, x: { y: [null] } },
      text: ' {"event_type":7,"x":{"y":[null]}}\n',
      exact: true,
      bytes,
    });
  });

  test('may begin with a byte order mark', () => {
    const bytes = Buffer.concat([BOM, Buffer.from('{"a":"é\ufeff"}')]);
    expect(readable(bytes)).toMatchObject({ payload: { a: 'é\ufeff' }, text: '{"a":"é\ufeff"}', exact: true });
  });

  test('is read from its own part of a larger buffer', () => {
    const pool = Buffer.from('{"before":1}{"a":2}{"after":3}');
    expect(readable(pool.subarray(12, 19)).payload).toEqual({ a: 2 });
  });

  test.each([
    ['a byte that begins nothing', [0xff]],
    ['a sequence cut short', [0xe2, 0x82]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
  ])('is read and marked where it is not UTF-8: %s', (_case, invalid) => {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(invalid), Buffer.from('","b":1}')]);
    const body = readable(bytes);
    expect(body.exact).toBe(false);
    expect(body.payload['b']).toBe(1);
    expect(body.payload['a']).toMatch(/^\ufffd+$/);
  });

  test('keeps __proto__ as a name like any other', () => {
    const { payload } = readable('{"__proto__":{"event_type":"reply_received"}}');
    expect(Object.keys(payload)).toEqual(['__proto__']);
    expect(payload['event_type']).toBeUndefined();
    expect(Object.getPrototypeOf({})['event_type']).toBeUndefined();
  });

  test('may be nested deeper than any stack', () => {
    const levels = 100_000;
    const text = `{"event_type":"email_sent","a":${'[{"b":'.repeat(levels)}1${'}]'.repeat(levels)}}`;
    const body = readable(text);
    expect(readEvent(body.payload).type).toBe('email_sent');
  });
});

describe('bytes from anywhere', () => {
  function readAll(bytes: Uint8Array): void {
    const parsed = parseBody(bytes);
    if (!parsed.ok) {
      expect(['not-json', 'not-an-object']).toContain(parsed.reason);
      return;
    }
    expect(dedupKey(parsed)).toHaveLength(32);
    expect(typeof readEvent(parsed.payload).type).toBe('string');
  }

  test('never throw when random', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), readAll), { numRuns: 2000 });
  });

  test('never throw when a payload with one byte changed', () => {
    fc.assert(
      fc.property(jsonObject, fc.integer(), fc.nat(), fc.nat(255), (payload, seed, place, byte) => {
        const bytes = Buffer.from(render(payload, choices(seed)));
        bytes[place % bytes.length] = byte;
        readAll(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
