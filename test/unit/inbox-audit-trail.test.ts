import { beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditDraft } from '../../src/audit/entry.ts';
import { draft } from '../../src/audit/make-draft.ts';
import { AuditTrail } from '../../src/inbox/audit-trail.ts';

let now: number;
let nudges: number;
let results: string[];
let trail: AuditTrail;

beforeEach(() => {
  [now, nudges, results] = [1_000_000, 0, []];
  trail = new AuditTrail({
    anonymousPerMinute: 2,
    nudge: () => {
      nudges += 1;
    },
    onEntry: (result) => results.push(result),
    now: () => now,
  });
});

function entry(userId: string, reason = 'missing'): AuditDraft {
  return draft({
    action: 'webhook.receive',
    userId,
    resource: '/x',
    result: 'failure',
    metadata: { status: 401, reason },
    at: now,
  });
}

const counts = (drafts: readonly AuditDraft[]) =>
  drafts.map(({ action, metadata }) => [action, metadata['count'] ?? metadata['counts'] ?? 1]);

describe('audit trail', () => {
  test('hands out what was recorded, once, and asks for a commit', () => {
    trail.record(entry('service'));
    expect([nudges, results]).toEqual([1, ['failure']]);
    expect(trail.take()).toHaveLength(1);
    expect(trail.take()).toEqual([]);
  });

  test('counts strangers beyond their budget, and writes the counts when the minute is over', () => {
    for (let n = 0; n < 10; n += 1) trail.record(entry('anonymous'));
    expect(trail.take()).toHaveLength(2);
    trail.tick();
    expect(trail.take()).toEqual([]);
    now += 60_000;
    trail.tick();
    expect(counts(trail.take())).toEqual([['webhook.receive', 8]]);
    expect(results).toHaveLength(10);
  });

  test('says which of them it has written, hands each sum to the log too, and counts nobody who is proven', () => {
    const sums: AuditDraft[] = [];
    trail = new AuditTrail({
      anonymousPerMinute: 2,
      nudge: () => undefined,
      onEntry: () => undefined,
      onCounted: (sum) => sums.push(sum),
      now: () => now,
    });
    expect([1, 2, 3, 4].map(() => trail.record(entry('anonymous')))).toEqual([true, true, false, false]);
    expect([trail.record(entry('anonymous'), true), trail.record(entry('service'))]).toEqual([true, true]);
    now += 60_000;
    trail.tick();
    expect(trail.take()).toEqual([...Array.from({ length: 4 }, () => expect.anything()), ...sums]);
    expect(counts(sums)).toEqual([['webhook.receive', 2]]);
  });

  test('writes the counts at once when the service stops', () => {
    for (let n = 0; n < 5; n += 1) trail.record(entry('anonymous'));
    trail.drain();
    expect(counts(trail.take())).toEqual([
      ['webhook.receive', 1],
      ['webhook.receive', 1],
      ['webhook.receive', 3],
    ]);
  });

  test('only counts strangers while the disk is nearly full', () => {
    trail.setCountOnly(true);
    trail.record(entry('anonymous'));
    trail.record(entry('instantly:token:1'));
    expect(trail.take()).toHaveLength(1);
    trail.setCountOnly(false);
    trail.record(entry('anonymous'));
    expect(trail.take()).toHaveLength(1);
  });

  test('an outage leaves one gap with its counts, written once the store is back', () => {
    trail.storeIsBack();
    expect(nudges).toBe(0);
    trail.record(entry('service', 'one'));
    trail.record(entry('service', 'two'));
    trail.lost(trail.take());
    trail.record(entry('service', 'two'));
    trail.lost(trail.take());
    expect(trail.take()).toEqual([]);
    nudges = 0;
    trail.storeIsBack();
    expect(nudges).toBe(1);
    const [gap, ...none] = trail.take();
    expect(none).toEqual([]);
    expect(gap).toMatchObject({ action: 'audit.gap', result: 'failure' });
    expect(gap?.metadata['counts']).toEqual([
      { action: 'webhook.receive', status: 401, reason: 'one', count: 1 },
      { action: 'webhook.receive', status: 401, reason: 'two', count: 2 },
    ]);
  });

  test('tries the gap itself now and then, so that a store which is back is noticed without requests', () => {
    trail.record(entry('service'));
    trail.lost(trail.take());
    nudges = 0;
    trail.tick();
    expect(nudges).toBe(1);
    const probe = trail.take();
    expect(probe).toMatchObject([{ action: 'audit.gap' }]);
    trail.lost(probe);
    expect(trail.take()).toEqual([]);
    trail.storeIsBack();
    expect(counts(trail.take())).toEqual([
      ['audit.gap', [{ action: 'webhook.receive', status: 401, reason: 'missing', count: 1 }]],
    ]);
  });

  test('counts what is more than it holds', () => {
    for (let n = 0; n < 2_005; n += 1) trail.record(entry('service'));
    const taken = trail.take();
    expect(taken).toHaveLength(2_001);
    expect(counts(taken.slice(-1))).toEqual([
      ['audit.gap', [{ action: 'webhook.receive', status: 401, reason: 'missing', count: 5 }]],
    ]);
  });

  test('reads the real clock where none is given', () => {
    const real = new AuditTrail({ anonymousPerMinute: 0, nudge: () => undefined, onEntry: () => undefined });
    real.record(entry('anonymous'));
    real.tick();
    expect(real.take()).toEqual([]);
    real.drain();
    expect(real.take()).toHaveLength(1);
  });
});
