import { describe, expect, test } from '@jest/globals';
import { AnchorError, parseAnchor } from '../../src/audit/parse-anchor.ts';
import { uuid } from './audit-log-model.ts';

const [one, two, three] = [uuid(1), uuid(2), uuid(3)];
const [h, k] = ['a'.repeat(64), 'b'.repeat(64)];

function line(fields: object): string {
  return JSON.stringify({
    level: 30,
    time: 1_000,
    msg: 'audit heads',
    heads: [{ writer: one, seq: 5, hash: h }],
    ...fields,
  });
}

describe('parseAnchor', () => {
  const found = [{ writer: one, seq: 5, hash: h }];

  test.each([
    ['a line of the log', line({}), [{ ...found[0], time: 1_000 }]],
    ['a line with ISO time', line({ time: '1970-01-01T00:00:02.000Z' }), [{ ...found[0], time: 2_000 }]],
    ['a line with a time that is none', line({ time: 'noon' }), found],
    ['a line without time', line({ time: undefined }), found],
    ['a line after a prefix', `receiver-1  | ${line({})}`, [{ ...found[0], time: 1_000 }]],
    [
      'a line among others',
      `starting\n{"msg":"x"}\n{torn\n\r\n${line({})}\r\n[1]\n1\n`,
      [{ ...found[0], time: 1_000 }],
    ],
    ['a document', JSON.stringify({ ok: true, heads: found }, null, 2), found],
    ['documents in lines', `${JSON.stringify({ heads: found })}\n${JSON.stringify({ heads: [] })}`, found],
    ['plain lines', `# kept by hand\n${one} 5 ${h}\n`, found],
    ['plain lines with tabs', `  ${one}\t5\t${h}  `, found],
    ['more fields in a head', JSON.stringify({ heads: [{ ...found[0], lane: 'spill' }] }), found],
  ])('%s', (_, text, heads) => {
    expect(parseAnchor(text)).toStrictEqual(heads);
  });

  test('passes over what a handler has logged, whatever it looks like', () => {
    const forged = line({ handler: 'mine', heads: [{ writer: two, seq: 9, hash: k }] });
    expect(parseAnchor(`${forged}\n${one} 5 ${h}`)).toStrictEqual([{ writer: one, seq: 5, hash: h }]);
  });

  test('keeps every head once, in order, with its earliest time', () => {
    const text = [
      line({ time: 3_000, heads: [{ writer: two, seq: 1, hash: k }] }),
      `${one} 5 ${h}`,
      line({ time: 5_000 }),
      line({ time: 4_000 }),
      line({ time: 6_000, heads: [{ writer: one, seq: 40, hash: k }] }),
      line({ time: 6_000, heads: [{ writer: one, seq: 5, hash: k }] }),
      `${three} 1 ${k}`,
      `${one} 5 ${h}`,
    ].join('\n');
    expect(parseAnchor(text)).toStrictEqual([
      { writer: one, seq: 5, hash: h, time: 4_000 },
      { writer: one, seq: 5, hash: k, time: 6_000 },
      { writer: one, seq: 40, hash: k, time: 6_000 },
      { writer: two, seq: 1, hash: k, time: 3_000 },
      { writer: three, seq: 1, hash: k },
    ]);
  });

  test.each([
    ['nothing', ''],
    ['no head', 'starting\n{"msg":"listening"}'],
    ['an empty list', line({ heads: [] })],
    ['no list', line({ heads: { writer: one, seq: 5, hash: h } })],
    ['a JSON null', 'null'],
    ['another line with heads', line({ msg: 'request' })],
    ['a head without a number', line({ heads: [{ writer: one, seq: '5', hash: h }] })],
    ['a head before the first', line({ heads: [{ writer: one, seq: 0, hash: h }] })],
    ['a broken hash', line({ heads: [{ writer: one, seq: 5, hash: h.slice(1) }] })],
    ['no writer', line({ heads: [{ seq: 5, hash: h }] })],
    ['a head that is none', line({ heads: [null, 'x'] })],
    ['a plain line cut short', `${one} 5`],
    ['a plain line with more', `${one} 5 ${h} and so on`],
    ['a plain line with a fraction', `${one} 5.5 ${h}`],
  ])('%s is no anchor', (_, text) => {
    expect(() => parseAnchor(text)).toThrow(AnchorError);
  });
});
