import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pino from 'pino';
import { buildEvent } from '../../src/dispatch/build-event.ts';
import { makeDelivery } from './dispatch-support.ts';

function payloadOf(json: string): Record<string, unknown> {
  const tools = { logger: pino({ level: 'silent' }), signal: new AbortController().signal };
  const { event, context } = buildEvent(makeDelivery('crm', { body: Buffer.from(json) }), tools);
  expect(context.payload).toBe(event.payload);
  expect(Buffer.from(context.rawBody).toString()).toBe(json);
  return context.payload;
}

test('a body in another character set is read by it, and its bytes stay as they came', () => {
  const body = Buffer.from('{"reply_text":"Grüße"}', 'latin1');
  const tools = { logger: pino({ level: 'silent' }), signal: new AbortController().signal };
  const { context } = buildEvent(makeDelivery('crm', { body, charset: 'windows-1252' }), tools);
  expect(context.payload).toEqual({ reply_text: 'Grüße' });
  expect(Buffer.from(context.rawBody)).toEqual(body);
});

/** As careless code does. */
function merge(target: Record<string, unknown>, from: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(from)) {
    const there = target[name];
    if (typeof value === 'object' && value !== null && (typeof there === 'object' || typeof there === 'function')) {
      merge(there as Record<string, unknown>, value as Record<string, unknown>);
    } else target[name] = value;
  }
  return target;
}

describe('the payload that a handler gets holds no member that leads to a prototype', () => {
  test.each([
    ['at the top', '{"a":1,"__proto__":{"polluted":1}}'],
    ['below', '{"a":{"b":[{"__proto__":{"polluted":1},"c":2}]}}'],
    ['in an array of arrays', '{"a":[[{"__proto__":{"polluted":1}}]]}'],
    ['with escapes', '{"\\u005f_proto\\u005F_":{"polluted":1}}'],
    ['within another one', '{"x":{"__proto__":{"__proto__":{"polluted":1}}}}'],
    ['by way of the constructor', '{"x":{"constructor":{"prototype":{"polluted":1}}}}'],
    ['by way of the constructor, with escapes', '{"x":{"constructor":{"\\u0070rototype":{"polluted":1}}}}'],
  ])('%s', (_, json) => {
    const payload = payloadOf(json);
    expect(JSON.stringify(payload)).not.toContain('polluted');
    merge({ x: {}, a: {} }, payload);
    expect(Object.assign({}, payload)).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  });

  test('and all else of it', () => {
    expect(payloadOf('{"a":{"proto":1},"constructor":"Bob","text":"__proto__ \\u00e9","list":[1,[2]]}')).toEqual({
      a: { proto: 1 },
      constructor: 'Bob',
      text: '__proto__ é',
      list: [1, [2]],
    });
  });

  test('nested as deeply as JSON.parse reads it', () => {
    const deep = 5_000;
    const json = `{"a":${'['.repeat(deep)}{"__proto__":{"polluted":1}}${']'.repeat(deep)}}`;
    expect(() => payloadOf(json)).not.toThrow();
  });

  test('whatever else it holds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (payload) => {
        const clean = JSON.stringify(payload);
        fc.pre(!clean.includes('__proto__') && !clean.includes('prototype'));
        expect(payloadOf(clean)).toEqual(JSON.parse(clean));
      }),
    );
  });
});
