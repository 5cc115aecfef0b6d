import { Buffer } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dedupKey } from '../../src/events/dedup-key.ts';
import { decodeBody, parseBody, readCharset } from '../../src/events/parse-body.ts';
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
      charset: null,
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

describe('the character set of a content type', () => {
  test.each([
    [null, null],
    ['application/json', null],
    ['application/json; charset=utf-8', null],
    ['application/json; charset=UTF8', null],
    ['application/json; charset=us-ascii', 'windows-1252'],
    ['application/json; charset=iso-8859-1', 'windows-1252'],
    ['application/json;charset="ISO-8859-1"', 'windows-1252'],
    ["application/json; charset='latin1'", 'windows-1252'],
    ['application/json ; Charset = windows-1252', 'windows-1252'],
    ['application/json; x=1; charset=cp1252; y=2', 'windows-1252'],
    ['application/json; charset=utf-16', 'utf-16le'],
    ['application/json; charset=UTF-16BE', 'utf-16be'],
    ['text/plain; charset=shift_jis', 'shift_jis'],
    ['application/json; charset=', null],
    ['application/json; charset=""', null],
    ['application/json; charset=nonsense', null],
    ['application/json; charset=utf-32', null],
    ['application/json; xcharset=latin1', null],
  ])('%j is %j', (contentType, charset) => {
    expect(readCharset(contentType)).toBe(charset);
  });
});

describe('a body in another character set', () => {
  const text = '{"event_type":"Rückruf","lead_email":"MÜLLER@example.com"}';
  const swap = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16();
  const utf16 = Buffer.from(text, 'utf16le');
  const CASES: readonly [string, Buffer, string, string][] = [
    ['ISO 8859-1', Buffer.from(text, 'latin1'), 'iso-8859-1', 'windows-1252'],
    ['UTF-16 without a mark', utf16, 'utf-16', 'utf-16le'],
    ['UTF-16 without a mark, big end first', swap(utf16), 'utf-16', 'utf-16be'],
    ['UTF-16 by its mark', Buffer.from(`\ufeff${text}`, 'utf16le'), 'utf-16be', 'utf-16le'],
    ['UTF-16 by its mark, big end first', swap(Buffer.from(`\ufeff${text}`, 'utf16le')), 'utf-16', 'utf-16be'],
  ];

  test.each(CASES)('%s is decoded, and is the same event as in UTF-8', (_name, bytes, label, charset) => {
    const parsed = parseBody(bytes, readCharset(`application/json; charset=${label}`));
    expect(parsed).toMatchObject({ ok: true, text, exact: true, bytes, charset });
    if (!parsed.ok) return;
    expect(readEvent(parsed.payload)).toMatchObject({ type: 'Rückruf', lead: 'müller@example.com' });
    expect(Buffer.from(dedupKey(parsed))).toEqual(Buffer.from(dedupKey(readable(Buffer.from(text)))));
    // As it is read again from the store.
    expect(parseBody(bytes, charset)).toEqual(parsed);
    expect(decodeBody(bytes, charset)).toBe(text);
  });

  test('windows-1252 has letters where ISO 8859-1 has controls', () => {
    const bytes = Buffer.from([...Buffer.from('{"a":"'), 0x80, 0x93, ...Buffer.from('"}')]);
    expect(parseBody(bytes, 'windows-1252')).toMatchObject({ payload: { a: '€“' }, exact: true });
  });

  test('other sets are read by their tables', () => {
    const bytes = Buffer.from([...Buffer.from('{"a":"'), 0xf0, 0xd2, 0xc9, ...Buffer.from('"}')]);
    expect(parseBody(bytes, readCharset('text/json; charset=koi8-r'))).toMatchObject({ payload: { a: 'При' } });
  });

  test('UTF-8 under another name is UTF-8 where it is no JSON by that name, or has a mark', () => {
    const bytes = Buffer.from(text);
    expect(parseBody(bytes, 'utf-16le')).toMatchObject({ ok: true, text, charset: null });
    expect(parseBody(Buffer.concat([BOM, bytes]), 'windows-1252')).toMatchObject({ ok: true, text, charset: null });
  });

  test('bytes that stand for nothing make the key one of the bytes', () => {
    const broken = (byte: number) => Buffer.from([...Buffer.from('{"a":"'), 0x81, byte, ...Buffer.from('"}')]);
    const [one, other] = [parseBody(broken(0x20), 'shift_jis'), parseBody(broken(0x21), 'shift_jis')];
    if (!one.ok || !other.ok) throw new Error('they are objects');
    expect([one.exact, other.exact]).toEqual([false, false]);
    expect(Buffer.from(dedupKey(one))).not.toEqual(Buffer.from(dedupKey(other)));
  });

  test('never throws, whatever the bytes are', () => {
    const labels = fc.constantFrom('windows-1252', 'utf-16le', 'utf-16be', 'shift_jis', 'gb18030', 'iso-2022-jp');
    fc.assert(
      fc.property(fc.uint8Array(), labels, (bytes, label) => {
        expect(parseBody(bytes, label).ok).toBeDefined();
      }),
    );
  });
});
