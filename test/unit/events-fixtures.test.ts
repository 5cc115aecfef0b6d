import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { CANONICAL_TYPES, canonicalType, typeLabel } from '../../src/events/names.ts';
import { readEvent } from '../../src/events/read-event.ts';
import { SAMPLES } from '../../src/events/samples.ts';
import { choices, keyOf, readable, referenceCanonical, render, sha256 } from './events-json-forms.ts';

const FOLDER = new URL('../fixtures/events/', import.meta.url);
const names = readdirSync(FOLDER).map((file) => file.replace('.json', ''));

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`${name}.json`, FOLDER));
}

test('there is one of each type and one of a custom label', () => {
  expect(names.map(canonicalType).sort()).toEqual([...CANONICAL_TYPES, 'custom_label'].sort());
});

test.each(names)('%s is read whole', (name) => {
  const body = readable(fixture(name));
  const facts = readEvent(body.payload);
  expect(body.exact).toBe(true);
  expect(facts.rawType).toBe(name === 'custom_label' ? 'Asked for pricing' : name);
  expect(facts.type).toBe(name === 'custom_label' ? 'Asked for pricing' : canonicalType(name));
  expect(typeLabel(facts.type)).toBe(name === 'custom_label' ? 'custom' : canonicalType(name));
  expect(facts.timestamp).toBe(Date.parse(String(body.payload['timestamp'])));
  expect(facts.lead).toBe(body.payload['lead_email'] ?? null);
  expect(facts.campaignId).toBe(body.payload['campaign_id'] ?? null);
});

test.each(names)('%s keeps its key in other words', (name) => {
  const bytes = fixture(name);
  const { payload } = readable(bytes);
  expect(keyOf(bytes)).toBe(sha256(referenceCanonical(payload)));
  expect(keyOf(JSON.stringify(payload))).toBe(keyOf(bytes));
  for (let seed = 0; seed < 20; seed++) expect(keyOf(render(payload, choices(seed)))).toBe(keyOf(bytes));
});

test('no two have one key', () => {
  expect(new Set(names.map((name) => keyOf(fixture(name)))).size).toBe(names.length);
});

// Keys outlive the release that made them: these were computed with Python's json (sorted names, no white space) and hashlib.
test.each([
  ['reply_received', '8d6fa3768fe1605ce7808c5d411c864f0f5eefc328ec89602c08ec2079614182'],
  ['link_clicked', '86cb659d0bace89b36f768618ba9e465c50050e1e2dd3344ea6c5ec4201904b1'],
  ['custom_label', '07fa4a79a88bdaec7df498b3d3a48fce6562fedbce1688d6936d0ebce775c635'],
  ['email_sent', '7e7c2f64f34259ab124d07462e8fdb82b3d349b9bdb5a3d86a3ea665b7059f3c'],
])('%s has the key it always had', (name, key) => {
  expect(keyOf(fixture(name))).toBe(key);
});

test.each(names)('%s has the shape of its sample', (name) => {
  const sampleName = canonicalType(name) as keyof typeof SAMPLES;
  expect(Object.keys(readable(fixture(name)).payload)).toEqual(Object.keys(SAMPLES[sampleName]));
});
