import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { APART_MS, type CorrelateOptions, correlateLogs } from '../../src/instantly/correlate-logs.ts';
import type { AuditLog } from '../../src/instantly/schemas.ts';

const START = Date.UTC(2026, 10, 18, 12);
const OWN_KEY = 'own-key';
let made = 0;

function activity(type: number, at: number, more: Partial<AuditLog> = {}): AuditLog {
  made += 1;
  const timestamp = new Date(START + at).toISOString();
  return { id: `activity-${made}`, timestamp, activity_type: type, from_api: true, api_key_id: OWN_KEY, ...more };
}

function call(operation: string, at: number, more: AuditEntry['metadata'] = {}): AuditEntry {
  made += 1;
  return {
    id: `entry-${made}`,
    timestamp: new Date(START + at).toISOString(),
    action: 'instantly.api.call',
    userId: 'operator',
    resource: '/api/v2/webhooks',
    result: 'success',
    metadata: { operation, reason: 'ok', durationMs: 100, ...more },
    writer: 'w',
    seq: made,
    prevHash: '',
    hash: '',
  };
}

const correlate = (options: Partial<CorrelateOptions>) =>
  correlateLogs({ activities: [], entries: [], clockAheadMs: 0, ownKeyIds: [OWN_KEY], ...options });

const verdictOf = (one: AuditLog, entries: AuditEntry[], more: Partial<CorrelateOptions> = {}) =>
  correlate({ activities: [one], entries, ...more })[0]?.verdict;

test.each<[string, AuditLog, AuditEntry[], string]>([
  ['a webhook made', activity(18, 0), [call('webhooks.create', -50)], 'ours'],
  ['changed', activity(19, 0), [call('webhooks.update', -50)], 'ours'],
  ['deleted, which is logged as a change', activity(19, 0), [call('webhooks.delete', -50)], 'ours'],
  ['resumed', activity(21, 0), [call('webhooks.resume', -50)], 'ours'],
  ['a key deleted', activity(38, 0), [call('api-keys.delete', -50)], 'ours'],
  ['a key made, which no call of ours does', activity(37, 0), [call('api-keys.delete', 0)], 'someone else'],
  ['nothing of ours', activity(19, 0), [], 'someone else'],
  ['a call of another kind', activity(21, 0), [call('webhooks.update', 0)], 'someone else'],
  ['a test, which changes nothing', activity(19, 0), [call('webhooks.test', 0)], 'someone else'],
  ['one that was refused', activity(21, 0), [call('webhooks.resume', 0, { reason: 'scope' })], 'someone else'],
  ['one whose answer was lost', activity(21, 0), [call('webhooks.resume', 0, { reason: 'timeout' })], 'ours'],
  ['long ago', activity(21, 0), [call('webhooks.resume', -100 - APART_MS - 1)], 'someone else'],
  ['as late as can be', activity(21, 0), [call('webhooks.resume', -100 - APART_MS)], 'ours'],
  ['as early as can be', activity(21, 0), [call('webhooks.resume', APART_MS)], 'ours'],
  ['afterwards', activity(21, 0), [call('webhooks.resume', APART_MS + 1)], 'someone else'],
  ['within a call that took long', activity(21, 9_000), [call('webhooks.resume', 0, { durationMs: 14_000 })], 'ours'],
  ['not by the API', activity(21, 0, { from_api: false }), [call('webhooks.resume', 0)], 'someone else'],
  ['by another key', activity(21, 0, { api_key_id: 'theirs' }), [call('webhooks.resume', 0)], 'someone else'],
  ['by a key that is not told', activity(21, 0, { api_key_id: null }), [call('webhooks.resume', 0)], 'ours'],
  ['what Instantly does by itself', activity(20, 0, { from_api: false }), [], 'instantly'],
  ['what is not about webhooks or keys', activity(4, 0), [], 'not ours to tell'],
  ['what nobody has published', activity(99, 0), [], 'not ours to tell'],
])('%s', (_, one, entries, verdict) => {
  expect(verdictOf(one, entries)).toBe(verdict);
});

test('where our keys are not known, another key decides nothing', () => {
  const one = activity(21, 0, { api_key_id: 'who-knows' });
  expect(verdictOf(one, [call('webhooks.resume', 0)], { ownKeyIds: [] })).toBe('ours');
});

test('goes by our clock', () => {
  const one = activity(21, 600_000);
  const own = call('webhooks.resume', 0);
  expect(verdictOf(one, [own])).toBe('someone else');
  const [found] = correlate({ activities: [one], entries: [own], clockAheadMs: 600_000 });
  expect(found).toMatchObject({ verdict: 'ours', at: START, explainedBy: own.id, what: 'webhook resumed' });
});

test.each([
  [900, 100],
  [-900, 0],
  [60, 60],
])('what a call of ours did %p ms off was done while it was under way', (off, at) => {
  const [found] = correlate({ activities: [activity(21, off)], entries: [call('webhooks.resume', 0)] });
  expect(found?.at).toBe(START + at);
});

test('a call explains the nearest and no other', () => {
  const [theirs, ours] = [activity(19, 0), activity(19, 4_000)];
  const found = correlate({ activities: [ours, theirs], entries: [call('webhooks.update', 3_990)] });
  expect(found.map(({ activity: { id }, verdict }) => [id, verdict])).toEqual([
    [theirs.id, 'someone else'],
    [ours.id, 'ours'],
  ]);
});

test('what was done at one instant is in the order it was made in, however it was listed', () => {
  const [older, newer] = [activity(19, 0, { id: '01a0-1' }), activity(37, 0, { id: '01a0-2' })];
  for (const activities of [
    [older, newer],
    [newer, older],
  ]) {
    expect(correlate({ activities }).map(({ activity: { id } }) => id)).toEqual([older.id, newer.id]);
  }
});

test('says in words what was done', () => {
  const activities = [18, 19, 20, 21, 37, 38, 1, 4, 99].map((type, at) => activity(type, at));
  const deleted = activity(19, 100, { audit_metadata: { deleted: true } });
  expect(correlate({ activities: [...activities, deleted] }).map(({ what }) => what)).toEqual([
    'webhook created',
    'webhook updated',
    'webhook disabled after failures',
    'webhook resumed',
    'API key created',
    'API key deleted',
    'user logged in',
    'campaign launched',
    'activity 99',
    'webhook deleted',
  ]);
});

const OPERATIONS = ['webhooks.create', 'webhooks.update', 'webhooks.delete', 'webhooks.resume', 'webhooks.list'];

test('never are more ours than there were calls, and no call explains two', () => {
  const times = fc.integer({ min: 0, max: 30_000 });
  const activities = fc.array(fc.tuple(fc.constantFrom(18, 19, 20, 21, 37), times), { maxLength: 12 });
  const calls = fc.array(fc.tuple(fc.constantFrom(...OPERATIONS), times), { maxLength: 12 });
  fc.assert(
    fc.property(activities, calls, (theirs, ours) => {
      const entries = ours.map(([operation, at]) => call(operation, at));
      const found = correlate({ activities: theirs.map(([type, at]) => activity(type, at)), entries });
      const causes = found.flatMap(({ explainedBy }) => explainedBy ?? []);
      expect(new Set(causes).size).toBe(causes.length);
      expect(found.filter(({ verdict }) => verdict === 'ours')).toHaveLength(causes.length);
      expect(found.map(({ at }) => at)).toEqual(found.map(({ at }) => at).toSorted((a, b) => a - b));
      expect(found).toHaveLength(theirs.length);
    }),
  );
});
