import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AnonymousBudget } from '../../src/audit/budget.ts';
import { MAX_TRIPLES } from '../../src/audit/count-triples.ts';
import type { AuditDraft } from '../../src/audit/entry.ts';
import { AuditGap } from '../../src/audit/gap.ts';
import { type DraftFields, draft } from '../../src/audit/make-draft.ts';

const MINUTE = 60_000;

function request(fields: Partial<DraftFields> = {}): AuditDraft {
  return draft({
    action: 'webhook.receive',
    userId: 'anonymous',
    resource: '/webhooks/instantly',
    result: 'failure',
    metadata: { status: 401, reason: 'no-credentials', ip: '192.0.2.1' },
    at: 0,
    ...fields,
  });
}

/** How many requests a draft stands for. */
function countOf({ metadata }: AuditDraft): number {
  return metadata['aggregated'] === true ? Number(metadata['count']) : 1;
}

function countsOf(gap: AuditDraft | undefined): { action: string; status: unknown; reason: unknown; count: number }[] {
  return (gap?.metadata['counts'] ?? []) as unknown as ReturnType<typeof countsOf>;
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

describe('AnonymousBudget', () => {
  test('writes so many a minute, and counts the rest into one entry a minute', () => {
    let now = 0;
    const budget = new AnonymousBudget({ perMinute: 2, now: () => now });
    const offers = [0, 1_000, 2_000, 59_999].map((at) => {
      now = at;
      return budget.offer(request({ at }));
    });
    expect(offers).toEqual(['write', 'write', 'counted', 'counted']);
    expect(budget.flush(61_999)).toEqual([]);
    const [entry, ...others] = budget.flush(62_000);
    expect(others).toEqual([]);
    expect(entry).toEqual({
      id: expect.any(String),
      timestamp: '1970-01-01T00:01:02.000Z',
      action: 'webhook.receive',
      userId: 'anonymous',
      resource: '/webhooks/instantly',
      result: 'failure',
      metadata: {
        aggregated: true,
        count: 2,
        status: 401,
        reason: 'no-credentials',
        from: '1970-01-01T00:00:02.000Z',
        to: '1970-01-01T00:00:59.999Z',
      },
    });
    expect(budget.flush(10 * MINUTE)).toEqual([]);
  });

  test('a new minute begins with the first offer after the last has ended', () => {
    let now = 30_500;
    const budget = new AnonymousBudget({ perMinute: 1, now: () => now });
    const at = (time: number) => {
      now = time;
      return budget.offer(request());
    };
    expect([at(30_500), at(90_499), at(90_500), at(150_499), at(150_500)]).toEqual([
      'write',
      'counted',
      'write',
      'counted',
      'write',
    ]);
  });

  test('a clock set back neither closes the budget nor holds counts for long', () => {
    let now = 10 * MINUTE;
    const budget = new AnonymousBudget({ perMinute: 1, now: () => now });
    expect([budget.offer(request()), budget.offer(request())]).toEqual(['write', 'counted']);
    now = MINUTE;
    expect([budget.offer(request()), budget.offer(request())]).toEqual(['write', 'counted']);
    expect(budget.flush(now).map(countOf)).toEqual([2]);
  });

  test('one entry for each action, status and reason', () => {
    const budget = new AnonymousBudget({ perMinute: 0, now: () => 0 });
    const metadata = (status: number, reason: string) => ({ metadata: { status, reason } });
    for (const fields of [
      metadata(401, 'no-credentials'),
      metadata(401, 'stale'),
      { action: 'health.check', resource: '/healthz', ...metadata(200, 'ok'), result: 'success' as const },
      metadata(401, 'stale'),
      { ...metadata(429, 'stale') },
      { metadata: { status: 'x', reason: 7 } },
      { metadata: {} },
    ]) {
      expect(budget.offer(request(fields))).toBe('counted');
    }
    const flushed = budget
      .drain(0)
      .map(({ action, result, resource, metadata: { status, reason, count } }) => [
        action,
        result,
        resource,
        status,
        reason,
        count,
      ]);
    expect(flushed).toEqual([
      ['webhook.receive', 'failure', '/webhooks/instantly', 401, 'no-credentials', 1],
      ['webhook.receive', 'failure', '/webhooks/instantly', 401, 'stale', 2],
      ['health.check', 'success', '/healthz', 200, 'ok', 1],
      ['webhook.receive', 'failure', '/webhooks/instantly', 429, 'stale', 1],
      ['webhook.receive', 'failure', '/webhooks/instantly', null, null, 2],
    ]);
  });

  test('what differs within a triple is not made up', () => {
    const budget = new AnonymousBudget({ perMinute: 0, now: () => 0 });
    budget.offer(request({ resource: '/a', result: 'failure', at: 2_000 }));
    budget.offer(request({ resource: '/b', result: 'success', at: 1_000 }));
    const [entry] = budget.drain(0);
    expect(entry).toMatchObject({
      resource: 'various',
      result: 'failure',
      metadata: { from: '1970-01-01T00:00:01.000Z', to: '1970-01-01T00:00:02.000Z' },
    });
    budget.offer(request({ result: 'success' }));
    budget.offer(request({ result: 'success' }));
    expect(budget.drain(0)).toMatchObject([{ result: 'success' }]);
    budget.offer(request({ result: 'success' }));
    budget.offer(request({ result: 'failure' }));
    expect(budget.drain(0)).toMatchObject([{ result: 'failure' }]);
  });

  test('never counts who was proven', () => {
    const budget = new AnonymousBudget({ perMinute: 0, now: () => 0 });
    budget.setCountOnly(true);
    expect(budget.offer(request({ userId: 'instantly:token:1' }))).toBe('write');
    expect(budget.drain(0)).toEqual([]);
  });

  test('counts only while the disk is nearly full, and then goes on with the same budget', () => {
    const budget = new AnonymousBudget({ perMinute: 2, now: () => 0 });
    const offers = [false, true, true, false, false].map((on) => {
      budget.setCountOnly(on);
      return budget.offer(request());
    });
    expect(offers).toEqual(['write', 'counted', 'counted', 'write', 'counted']);
    expect(budget.drain(0).map(countOf)).toEqual([3]);
  });

  test('no number of reasons makes it grow, and none is lost', () => {
    const budget = new AnonymousBudget({ perMinute: 0, now: () => 0 });
    for (let index = 0; index < 3 * MAX_TRIPLES; index += 1) {
      budget.offer(request({ metadata: { status: 401, reason: `made up ${index}` } }));
    }
    budget.offer(request({ metadata: { status: 401, reason: 'made up 0' } }));
    const drained = budget.drain(0);
    expect(drained).toHaveLength(MAX_TRIPLES + 1);
    expect(drained[0]).toMatchObject({ metadata: { reason: 'made up 0', count: 2 } });
    expect(drained.at(-1)).toMatchObject({
      action: 'audit.other',
      metadata: { status: null, reason: 'other', count: 2 * MAX_TRIPLES },
    });
  });
});

describe('AuditGap', () => {
  test('leaves one entry for all that was lost of strangers, and one for all else', () => {
    const gap = new AuditGap();
    expect(gap.takeGaps(0)).toEqual([]);
    gap.countGap(request({ at: 3_000 }));
    gap.countGap(request({ at: 1_000 }));
    gap.countGap(request({ at: 2_000, userId: 'service', action: 'handler.run', metadata: { reason: 'timeout' } }));
    const facts = {
      id: expect.any(String),
      timestamp: '1970-01-01T00:00:09.000Z',
      action: 'audit.gap',
      resource: 'audit',
    };
    const run = { action: 'handler.run', status: null, reason: 'timeout', count: 1 };
    const strangers = { action: 'webhook.receive', status: 401, reason: 'no-credentials', count: 2 };
    expect(gap.takeGaps(9_000)).toEqual([
      {
        ...facts,
        userId: 'service',
        result: 'failure',
        metadata: { from: '1970-01-01T00:00:02.000Z', to: '1970-01-01T00:00:02.000Z', counts: [run] },
      },
      {
        ...facts,
        userId: 'anonymous',
        result: 'failure',
        metadata: { from: '1970-01-01T00:00:01.000Z', to: '1970-01-01T00:00:03.000Z', counts: [strangers] },
      },
    ]);
    expect(gap.takeGaps(0)).toEqual([]);
  });

  test('spans the times of all triples, in whichever order', () => {
    const gap = new AuditGap();
    for (const [at, action] of [
      [2_000, 'a.b'],
      [9_000, 'c.d'],
      [1_000, 'e.f'],
      [3_000, 'g.h'],
    ] as const)
      gap.countGap(request({ at, action }));
    expect(gap.takeGaps(0)[0]?.metadata).toMatchObject({
      from: '1970-01-01T00:00:01.000Z',
      to: '1970-01-01T00:00:09.000Z',
    });
  });

  test('takes back a gap and a minute of the budget that could not be written either', () => {
    const gap = new AuditGap();
    const budget = new AnonymousBudget({ perMinute: 0, now: () => 0 });
    for (const at of [5_000, 6_000, 7_000]) budget.offer(request({ at }));
    for (const lost of budget.drain(99_000)) gap.countGap(lost);
    gap.countGap(request({ at: 8_000 }));
    const [first] = gap.takeGaps(99_000);
    if (first === undefined) throw new Error('no gap');
    // A new loss comes in before the gap itself is lost.
    gap.countGap(request({ at: 100_000, action: 'metrics.scrape' }));
    gap.countGap(first);
    const [again] = gap.takeGaps(100_000);
    expect(again?.metadata).toMatchObject({ from: '1970-01-01T00:00:05.000Z', to: '1970-01-01T00:01:40.000Z' });
    expect(countsOf(again)).toEqual([
      { action: 'metrics.scrape', status: 401, reason: 'no-credentials', count: 1 },
      { action: 'webhook.receive', status: 401, reason: 'no-credentials', count: 4 },
    ]);
  });
});

type Step =
  | { readonly kind: 'offer'; readonly status: number; readonly reason: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'commit'; readonly fails: boolean }
  | { readonly kind: 'disk'; readonly low: boolean };

/** Uses budget and gap as the service does. */
class Service {
  offered = 0;
  readonly written: AuditDraft[] = [];
  #now = 50 * MINUTE;
  #queued: AuditDraft[] = [];
  readonly #budget: AnonymousBudget;
  readonly #gap = new AuditGap();

  constructor(perMinute: number) {
    this.#budget = new AnonymousBudget({ perMinute, now: () => this.#now });
  }

  step(next: Step): void {
    if (next.kind === 'wait') this.#now += next.ms;
    else if (next.kind === 'disk') this.#budget.setCountOnly(next.low);
    else if (next.kind === 'commit') this.commit(next.fails);
    else this.#offer(request({ at: this.#now, metadata: { status: next.status, reason: `r${next.reason}` } }));
  }

  commit(fails: boolean, last = false): void {
    const flushed = last ? this.#budget.drain(this.#now) : this.#budget.flush(this.#now);
    const batch = [...this.#queued, ...flushed, ...this.#gap.takeGaps(this.#now)];
    this.#queued = [];
    if (fails) for (const lost of batch) this.#gap.countGap(lost);
    else this.written.push(...batch);
  }

  #offer(one: AuditDraft): void {
    this.offered += 1;
    if (this.#budget.offer(one) === 'write') this.#queued.push(one);
  }
}

describe('whatever happens in whichever order', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ kind: fc.constant('offer' as const), status: fc.nat(1), reason: fc.nat(2) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: -MINUTE, max: 2 * MINUTE }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('commit' as const), fails: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('disk' as const), low: fc.boolean() }) },
  );

  test('every request offered is written singly, in a count, or in a gap', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(20), (steps, perMinute) => {
        const service = new Service(perMinute);
        for (const next of steps) service.step(next);
        service.commit(false, true);
        const { written, offered } = service;
        const singly = written.filter(({ action }) => action !== 'audit.gap');
        const gaps = written.filter(({ action }) => action === 'audit.gap').flatMap(countsOf);
        expect(sum(singly.map(countOf)) + sum(gaps.map(({ count }) => count))).toBe(offered);
      }),
      { numRuns: 500 },
    );
  });
});
