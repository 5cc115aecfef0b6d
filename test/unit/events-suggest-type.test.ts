import { describe, expect, test } from '@jest/globals';
import { CANONICAL_TYPES, canonicalType, TYPE_ALIASES } from '../../src/events/names.ts';
import { readType, suggestType } from '../../src/events/suggest-type.ts';

const NAMES = [...CANONICAL_TYPES, ...TYPE_ALIASES];

describe('a name that differs in case and separators alone', () => {
  const spellings = (name: string) => [
    name,
    name.toUpperCase(),
    name.replaceAll('_', '-'),
    name.replaceAll('_', '.'),
    name.replaceAll('_', ' '),
    name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    ` ${name}\u200b\n`,
  ];

  test.each(NAMES)('%s', (name) => {
    expect(new Set(spellings(name).map(readType))).toEqual(new Set([canonicalType(name)]));
    expect(new Set(spellings(name).map(suggestType))).toEqual(new Set([canonicalType(name)]));
  });
});

test.each(NAMES)('one slip in %s is always noticed', (name) => {
  for (let at = 0; at < name.length; at += 1) {
    const swapped = `${name.slice(0, at)}${name[at + 1] ?? ''}${name[at]}${name.slice(at + 2)}`;
    for (const slip of [`${name.slice(0, at)}q${name.slice(at + 1)}`, name.slice(0, at) + name.slice(at + 1), swapped])
      expect([slip, suggestType(slip)]).toEqual([slip, canonicalType(name)]);
  }
});

/** Each stands in public code that waits for it in vain, or is another service's name for the same. */
test.each<[string, string]>([
  ['email_replied', 'reply_received'],
  ['email.replied', 'reply_received'],
  ['EMAIL_REPLY', 'reply_received'],
  ['lead_replied', 'reply_received'],
  ['leadReplied', 'reply_received'],
  ['replies', 'reply_received'],
  ['response_received', 'reply_received'],
  ['auto_reply', 'auto_reply_received'],
  ['email_open', 'email_opened'],
  ['openned', 'email_opened'],
  ['email_clicked', 'email_link_clicked'],
  ['link.click', 'email_link_clicked'],
  ['bounce', 'email_bounced'],
  ['lead_bounced', 'email_bounced'],
  ['email_unsubscribed', 'lead_unsubscribed'],
  ['unsub', 'lead_unsubscribed'],
  ['sent', 'email_sent'],
  ['meeting_booked', 'lead_meeting_booked'],
  ['Not interested', 'lead_not_interested'],
  ['OOO', 'lead_out_of_office'],
  ['campaign_finished', 'campaign_completed'],
  ['all_events', '*'],
  ['any', '*'],
])('%s is taken for %s', (text, meant) => {
  expect(readType(text)).toBeUndefined();
  expect(suggestType(text)).toBe(meant);
});

test.each([
  '',
  '*',
  'email',
  'lead',
  'Hot Lead',
  'Asked for pricing',
  'Won',
  'Follow up',
  'Rückruf',
  '返信',
  'x'.repeat(1e6),
])('a label such as %.20j resembles nothing', (label) => {
  expect(suggestType(label)).toBeUndefined();
});
