import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UNKNOWN_TYPE } from '../../src/events/names.ts';
import { readEvent } from '../../src/events/read-event.ts';
import { jsonObject, jsonValue } from './events-json-forms.ts';

const NOTHING = { type: UNKNOWN_TYPE, rawType: null, timestamp: null, lead: null, campaignId: null };

test('reads what it needs and lets the rest be', () => {
  const payload = {
    event_type: 'link_clicked',
    timestamp: '2026-09-07T08:13:20.377Z',
    lead_email: '  Marta.Oliveira@FjordTools.example ',
    campaign_id: ' 01993c5e-7b12-7a40-9d3f-5e8c21b7a604 ',
    firstName: 'Marta',
    type: 'email_sent',
    lead: 'other@else.example',
  };
  expect(readEvent(payload)).toEqual({
    type: 'email_link_clicked',
    rawType: 'link_clicked',
    timestamp: Date.UTC(2026, 8, 7, 8, 13, 20, 377),
    lead: 'marta.oliveira@fjordtools.example',
    campaignId: '01993c5e-7b12-7a40-9d3f-5e8c21b7a604',
  });
});

test('reads nothing from nothing', () => {
  expect(readEvent({})).toEqual(NOTHING);
});

test('looks at own names only', () => {
  expect(readEvent(JSON.parse('{"__proto__":{"event_type":"email_sent","lead_email":"a@b.example"}}'))).toEqual(
    NOTHING,
  );
});

describe('a field of another type is as if absent', () => {
  test.each([[null], [true], [7], [{}], [{ email: 'a@b.example' }], [['a@b.example']]])('%j', (value) => {
    expect(readEvent({ event_type: value, lead_email: value, campaign_id: value, timestamp: [value] })).toEqual(
      NOTHING,
    );
  });

  test('and does not hide the others', () => {
    const facts = readEvent({ event_type: 'email_sent', timestamp: {}, lead_email: 7, campaign_id: 'c' });
    expect(facts).toEqual({ type: 'email_sent', rawType: 'email_sent', timestamp: null, lead: null, campaignId: 'c' });
  });

  test('whatever it is', () => {
    const fields = fc.record(
      { event_type: jsonValue, timestamp: jsonValue, lead_email: jsonValue, campaign_id: jsonValue },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(jsonObject, fields, (payload, overlay) => {
        const facts = readEvent({ ...payload, ...overlay });
        expect(facts.type.length).toBeGreaterThan(0);
        expect(facts.lead).not.toBe('');
        expect(facts.campaignId).not.toBe('');
      }),
    );
  });
});

describe('the type', () => {
  test.each(['', ' ', '\n\t'])('is unknown where it is blank: %j', (value) => {
    expect(readEvent({ event_type: value })).toEqual(NOTHING);
  });

  test('is a custom label as it came', () => {
    expect(readEvent({ event_type: ' Asked for pricing ' })).toMatchObject({
      type: ' Asked for pricing ',
      rawType: ' Asked for pricing ',
    });
  });

  test('is cut at 256 characters', () => {
    const facts = readEvent({ event_type: 'x'.repeat(300) });
    expect(facts.type).toBe('x'.repeat(256));
    expect(facts.rawType).toBe('x'.repeat(256));
    expect(readEvent({ event_type: 'x'.repeat(256) }).type).toBe('x'.repeat(256));
  });

  test('is never cut within a character', () => {
    expect(readEvent({ event_type: `${'x'.repeat(255)}😀` }).type).toBe('x'.repeat(255));
    expect(readEvent({ event_type: `${'x'.repeat(254)}😀😀` }).type).toBe(`${'x'.repeat(254)}😀`);
    expect(readEvent({ event_type: '😀'.repeat(200) }).type).toBe('😀'.repeat(128));
  });
});

describe('the address of a lead', () => {
  test.each(['', '   '])('is none where it is blank: %j', (value) => {
    expect(readEvent({ lead_email: value }).lead).toBeNull();
  });

  test('is none where it is longer than an address can be', () => {
    const long = (length: number) => `${'a'.repeat(length - 10)}@b.example`;
    expect(readEvent({ lead_email: long(320) }).lead).toBe(long(320));
    expect(readEvent({ lead_email: ` ${long(320)} ` }).lead).toBe(long(320));
    expect(readEvent({ lead_email: long(321) }).lead).toBeNull();
    // Lower case is longer than upper case here.
    expect(readEvent({ lead_email: `İ${long(319)}` }).lead).toBeNull();
  });
});

describe('names that stand beside or instead of others', () => {
  test.each([
    ['email', { email: ' A@b.example ' }, { lead: 'a@b.example' }],
    ['lead_email before email', { email: 'b@b.example', lead_email: 'a@b.example' }, { lead: 'a@b.example' }],
    ['email beside an empty lead_email', { email: 'a@b.example', lead_email: ' ' }, { lead: 'a@b.example' }],
    ['email beside a null', { email: 'a@b.example', lead_email: null }, { lead: 'a@b.example' }],
    ['the sending mailbox, which is no lead', { email: 'Me@b.example', email_account: 'me@b.example' }, { lead: null }],
    ['the mailbox of account_error', { event_type: 'account_error', email: 'me@b.example' }, { lead: null }],
    ['campaign_completed', { event_type: 'campaign_completed', email: 'me@b.example' }, { lead: null }],
    ['email that is no address', { email: 'yes' }, { lead: null }],
    ['campaign', { campaign: ' Autumn ' }, { campaignId: 'Autumn' }],
    ['campaign_id before campaign', { campaign: 'Autumn', campaign_id: 'c1' }, { campaignId: 'c1' }],
    ['campaign beside a null', { campaign: 'c1', campaign_id: null }, { campaignId: 'c1' }],
    ['campaign of another type', { campaign: { id: 'c1' } }, { campaignId: null }],
  ])('%s', (_case, payload, facts) => {
    expect(readEvent(payload)).toMatchObject(facts);
  });
});

test('the id of a campaign is none where it is blank or absurdly long', () => {
  expect(readEvent({ campaign_id: ' ' }).campaignId).toBeNull();
  expect(readEvent({ campaign_id: 'c'.repeat(256) }).campaignId).toBe('c'.repeat(256));
  expect(readEvent({ campaign_id: 'c'.repeat(257) }).campaignId).toBeNull();
});

test('holds nothing that a database column refuses', () => {
  const text = 'a\0b\ud800c';
  expect(readEvent({ event_type: text, lead_email: text, campaign_id: text })).toEqual({
    type: 'a\ufffdb\ufffdc',
    rawType: 'a\ufffdb\ufffdc',
    timestamp: null,
    lead: 'a\ufffdb\ufffdc',
    campaignId: 'a\ufffdb\ufffdc',
  });
});
