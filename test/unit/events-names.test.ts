import { describe, expect, test } from '@jest/globals';
import { CANONICAL_TYPES, canonicalType, isCanonicalType, typeLabel, UNKNOWN_TYPE } from '../../src/events/names.ts';

/** Instantly's webhook guide: the names its payloads carry. */
const PAYLOAD_NAMES = [
  'email_sent',
  'email_opened',
  'link_clicked',
  'reply_received',
  'auto_reply_received',
  'email_bounced',
  'lead_unsubscribed',
  'account_error',
  'campaign_completed',
  'lead_neutral',
  'lead_interested',
  'lead_not_interested',
  'lead_meeting_booked',
  'lead_meeting_completed',
  'lead_closed',
  'lead_out_of_office',
  'lead_wrong_person',
  'lead_no_show',
  'supersearch_enrichment_completed',
];

const LABELS = [
  'Asked for pricing',
  'email_replied',
  'REPLY_RECEIVED',
  ' email_sent',
  '',
  '__proto__',
  'constructor',
  '*',
];

test('every name of a payload has its canonical type, and no other type exists', () => {
  expect(PAYLOAD_NAMES.map(canonicalType).sort()).toEqual([...CANONICAL_TYPES].sort());
});

test('a canonical name stays as it is', () => {
  expect(CANONICAL_TYPES.map(canonicalType)).toEqual(CANONICAL_TYPES);
  expect(CANONICAL_TYPES.every(isCanonicalType)).toBe(true);
});

test('the clicked link has the name that a subscription uses', () => {
  expect(canonicalType('link_clicked')).toBe('email_link_clicked');
  expect(isCanonicalType('link_clicked')).toBe(false);
});

test.each(LABELS)('the label %j stays as it is and is not canonical', (label) => {
  expect(canonicalType(label)).toBe(label);
  expect(isCanonicalType(label)).toBe(false);
});

describe('what a metric may say', () => {
  test('is a canonical type by its name', () => {
    expect(CANONICAL_TYPES.map(typeLabel)).toEqual(CANONICAL_TYPES);
  });

  test.each(LABELS)('is of the label %j that it is one', (label) => {
    expect(typeLabel(label)).toBe('custom');
  });

  test('is of an unknown type that it is unknown', () => {
    expect(typeLabel(UNKNOWN_TYPE)).toBe('unknown');
  });
});
