import { Buffer } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import { interpretBody, LARGE_BODY_BYTES, MAX_VALUES } from '../../src/events/interpret-body.ts';
import { keyOf, sha256 } from './events-json-forms.ts';

function keyOfBody(text: string): string {
  const event = interpretBody(Buffer.from(text), null);
  if (!event.ok) throw new Error(event.reason);
  return Buffer.from(event.dedupKey).toString('hex');
}

/** The object, its list and the type are values too. */
const withValues = (values: number, space = ''): string =>
  `{"event_type":"email_sent",${space}"values":[${'10,'.repeat(values - 4)}10]}`;

describe('a large body', () => {
  test('has the key of its canonical form up to the limit', () => {
    const text = withValues(MAX_VALUES);
    expect(text.length).toBeGreaterThan(LARGE_BODY_BYTES);
    expect(keyOfBody(text)).toBe(keyOf(text));
    expect(keyOfBody(withValues(MAX_VALUES, '\n'))).toBe(keyOf(text));
  });

  test.each([
    ['values', withValues(MAX_VALUES + 1)],
    ['levels', `{"a":${'['.repeat(LARGE_BODY_BYTES)}${']'.repeat(LARGE_BODY_BYTES)},"event_type":"email_sent"}`],
    ['members', `{${Array.from({ length: MAX_VALUES }, (_, n) => `"${n}":0`)},"event_type":"email_sent"}`],
  ])('has the key of its bytes with more %s, and its facts', (_case, text) => {
    expect(keyOfBody(text)).toBe(sha256(text));
    expect(interpretBody(Buffer.from(text), null)).toMatchObject({ ok: true, facts: { type: 'email_sent' } });
  });

  test('is unreadable with more values too', () => {
    const text = withValues(MAX_VALUES * 2);
    const reasonOf = (body: string) => interpretBody(Buffer.from(body), null);
    expect(reasonOf(text.slice(0, -1))).toEqual({ ok: false, reason: 'not-json' });
    expect(reasonOf(`${text}}`)).toEqual({ ok: false, reason: 'not-json' });
    expect(reasonOf(`[${text}]`)).toEqual({ ok: false, reason: 'not-an-object' });
  });

  test('no small body has more values than the limit', () => {
    expect(LARGE_BODY_BYTES / 2).toBeLessThan(MAX_VALUES);
  });
});
