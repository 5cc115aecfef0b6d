import { describe, expect, test } from '@jest/globals';
import { sample } from '../../src/events/make-sample.ts';
import { CANONICAL_TYPES } from '../../src/events/names.ts';
import { readEvent } from '../../src/events/read-event.ts';
import { SAMPLES } from '../../src/events/samples.ts';
import { keyOf } from './events-json-forms.ts';

const NOW = Date.UTC(2026, 8, 7, 12);
const NAMES = Object.keys(SAMPLES);

function make(name: string, index: number, now = NOW) {
  const made = sample(name, { index, now });
  if (made === undefined) throw new Error(`no sample of ${name}`);
  return made;
}

test('there is one of each type and one of a custom label', () => {
  expect(NAMES.sort()).toEqual([...CANONICAL_TYPES, 'custom_label'].sort());
});

test.each(CANONICAL_TYPES)('%s is read as what it is', (type) => {
  expect(readEvent(SAMPLES[type])).toMatchObject({ type, timestamp: expect.any(Number) });
});

test('a custom label is read as itself', () => {
  expect(readEvent(SAMPLES.custom_label).type).toBe('Wants a catalogue');
});

test('no address can be anybody’s', () => {
  const addresses = JSON.stringify(SAMPLES).match(/[\w.+-]+@[\w.-]+/g) ?? [];
  expect(addresses.length).toBeGreaterThan(20);
  expect(addresses.filter((address) => !address.endsWith('.example'))).toEqual([]);
});

describe('a new one', () => {
  test.each(NAMES)('of %s keeps its shape and tells the time given', (name) => {
    const made = make(name, 3);
    expect(Object.keys(made)).toEqual(Object.keys(SAMPLES[name as keyof typeof SAMPLES]));
    expect(made['event_type']).toBe(SAMPLES[name as keyof typeof SAMPLES]['event_type']);
    expect(readEvent(made).timestamp).toBe(NOW);
  });

  test.each(NAMES)('of %s is another event for each index and each time', (name) => {
    const made = [make(name, 0), make(name, 1), make(name, 4095), make(name, 0, NOW + 1)];
    expect(new Set(made.map((payload) => keyOf(JSON.stringify(payload)))).size).toBe(made.length);
  });

  test('is a duplicate of one made with the same options', () => {
    expect(make('reply_received', 5)).toEqual(make('reply_received', 5));
  });

  test('has ids and a lead of its own', () => {
    const [one, other] = [make('reply_received', 1), make('reply_received', 2)];
    expect(one['email_id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7000-8000-[0-9a-f]{12}$/);
    expect(one['email_id']).not.toBe(other['email_id']);
    expect(one['lead_email']).not.toBe(other['lead_email']);
    expect(one['unibox_url']).toContain(String(one['lead_email']));
  });

  test('does not change the original', () => {
    const before = structuredClone(SAMPLES.reply_received);
    make('reply_received', 9);
    expect(SAMPLES.reply_received).toEqual(before);
  });
});

test('a sample is found by the canonical name and by Instantly’s own', () => {
  expect(make('link_clicked', 0)).toEqual(make('email_link_clicked', 0));
  expect(make('link_clicked', 0)['event_type']).toBe('link_clicked');
});

test.each(['email_replied', 'Wants a catalogue', '', '__proto__', 'toString'])('there is none of %j', (name) => {
  expect(sample(name, { index: 0, now: NOW })).toBeUndefined();
});
