import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { outlineJson } from '../../src/events/outline-json.ts';
import { FACT_NAMES, readEvent } from '../../src/events/read-event.ts';
import { choices, jsonObject, jsonValue, render } from './events-json-forms.ts';

const outline = (text: string) => outlineJson(text, FACT_NAMES);

/** As JSON.parse takes it. */
function formOf(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? 'object' : 'other';
  } catch {
    return 'none';
  }
}

function measure(root: unknown): { values: number; depth: number } {
  if (typeof root !== 'object' || root === null) return { values: 1, depth: 0 };
  const parts = Object.values(root).map(measure);
  return {
    values: 1 + parts.reduce((sum, { values }) => sum + values, 0),
    depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)),
  };
}

const facts = fc.record(
  Object.fromEntries(
    [...FACT_NAMES].map((name) => [
      name,
      fc.oneof(
        jsonValue,
        fc.constantFrom('email_sent', 'account_error', 'a@b.example', '2026-09-07T08:13:20.377Z', 1_789_000_000),
      ),
    ]),
  ),
  { requiredKeys: [] },
);

describe('an outline', () => {
  test('tells the facts of any object as JSON.parse does, and its values and levels', () => {
    fc.assert(
      fc.property(jsonObject, facts, fc.integer(), (payload, overlay, seed) => {
        const whole = { ...payload, ...overlay };
        const found = outline(render(whole, choices(seed)));
        expect(found).toMatchObject({ form: 'object', ...measure(whole) });
        expect(readEvent(found.members)).toEqual(readEvent(whole));
      }),
      { numRuns: 1000 },
    );
  });

  test('takes the last of two members of one name, as JSON.parse does', () => {
    const text = '{"event_type":"a","event_type":{"event_type":"x"},"\\u0065vent_type":"b","email":"a","email":[]}';
    expect(outline(text).members).toEqual({ event_type: 'b', email: null });
  });

  test('takes for JSON what JSON.parse does, however it is damaged', () => {
    const damage = fc.tuple(
      fc.nat(),
      fc.nat(3),
      fc.constantFrom(
        '',
        '"',
        '\\',
        ',',
        ':',
        '{',
        '}',
        '[',
        ']',
        '0',
        '-',
        '.',
        'e',
        't',
        '\n',
        '\u0001',
        '\\u12',
        '\ud800',
        '\u00a0',
      ),
    );
    fc.assert(
      fc.property(jsonValue, fc.integer(), fc.array(damage, { maxLength: 3 }), (value, seed, damages) => {
        let text = render(value, choices(seed));
        for (const [at, length, put] of damages) {
          const from = at % (text.length + 1);
          text = text.slice(0, from) + put + text.slice(from + length);
        }
        const { form } = outline(text);
        expect(form === 'invalid' || form === 'unfinished' ? 'none' : form).toBe(formOf(text));
      }),
      { numRuns: 5000 },
    );
  });

  test('of a piece says that it is not finished, and tells what stands whole in it', () => {
    fc.assert(
      fc.property(jsonObject, facts, fc.integer(), fc.nat(), (payload, overlay, seed, at) => {
        const text = render({ ...payload, ...overlay }, choices(seed)).trim();
        const { form, members } = outline(text.slice(0, at % text.length));
        expect(form).toBe('unfinished');
        const whole = outline(text).members;
        for (const [name, value] of Object.entries(members)) expect(value).toEqual(whole[name]);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    '-true',
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    '0x1',
    'tru',
    'truefalse',
    '{"a" 1}',
    '[1 2]',
    '{,}',
    '[,]',
    '{a:1}',
    '"\\x"',
    '[1]]',
    '{}{}',
    '\ufeff{}',
    '',
  ])('does not take %j', (text) => {
    expect(['invalid', 'unfinished']).toContain(outline(text).form);
  });

  test('is no deeper than its text', () => {
    const levels = 2_000_000;
    const text = `{"a":${'['.repeat(levels)}${']'.repeat(levels)},"event_type":"x"}`;
    expect(outline(text)).toEqual({
      form: 'object',
      values: levels + 2,
      depth: levels + 1,
      members: { event_type: 'x' },
    });
  });
});
