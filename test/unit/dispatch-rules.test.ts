import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { handlerEnvironment } from '../../src/dispatch/handler-environment.ts';
import { judgeLoss } from '../../src/dispatch/judge-loss.ts';
import { heapLimit, leaseLength, longestRun, RUN_LIMITS, storeBackoff } from '../../src/dispatch/limits.ts';

const loss = (begun: number, culprit: number) => ({ failure: 'thread-ended' as const, error: 'x', begun, culprit });

describe('judgeLoss', () => {
  test.each([
    ['the only one', [7], loss(7, 0), ['guilty']],
    ['the only one that had begun', [7, 8], loss(7, 0), ['guilty', 'innocent']],
    ['any of several', [6, 7, 8], loss(7, 0), ['suspect', 'suspect', 'innocent']],
    ['a known one', [6, 7, 8], loss(8, 7), ['innocent', 'guilty', 'innocent']],
    ['one that had settled before', [6, 7], loss(7, 5), ['innocent', 'innocent']],
    ['none that had begun', [6, 7], loss(5, 0), ['innocent', 'innocent']],
    ['none at all', [], loss(5, 0), []],
  ])('%s', (_who, runs, lost, verdicts) => {
    expect([...judgeLoss(runs, lost).values()]).toEqual(verdicts);
  });

  test('never finds more than one guilty, and never one beside suspects', () => {
    const runs = fc.uniqueArray(fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(runs, fc.nat(30), fc.nat(30), (some, begun, culprit) => {
        const verdicts = [...judgeLoss(some, loss(begun, culprit)).values()];
        const guilty = verdicts.filter((verdict) => verdict === 'guilty').length;
        const suspects = verdicts.filter((verdict) => verdict === 'suspect').length;
        expect(verdicts).toHaveLength(some.length);
        expect(guilty === 0 || (guilty === 1 && suspects === 0)).toBe(true);
        expect(suspects).not.toBe(1);
      }),
    );
  });
});

test('a lease has time for an attempt and a second one alone', () => {
  expect(leaseLength(30_000, RUN_LIMITS)).toBeGreaterThan(2 * longestRun(30_000, RUN_LIMITS));
  expect(longestRun(30_000, RUN_LIMITS)).toBe(93_000);
});

test('the wait for a store that is away grows from 0.2 s to 5 s', () => {
  expect([1, 2, 3, 4, 5, 6, 1_000].map(storeBackoff)).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test.each([
  [0, 64 * 1024, 1_024],
  [2_048, 64 * 1024, 512],
  [128, 64 * 1024, 256],
  [2 ** 44, 2_048, 512],
])('of a limit of %i MB in a machine of %i MB, a thread may fill %i MB', (constrained, total, limit) => {
  expect(heapLimit(constrained * 1_048_576, total * 1_048_576)).toBe(limit);
});

test("handlers see none of the receiver's own secrets", () => {
  const env = {
    PATH: '/bin',
    CRM_TOKEN: 'crm',
    INSTANTLY_API_KEY: 'api',
    INSTANTLY_SECRET: 'hmac',
    INSTANTLY_WEBHOOK_TOKEN_FILE: '/run/secrets/token',
    AUDIT_KEY: 'audit',
    ADMIN_TOKEN: 'admin',
    METRICS_TOKEN: 'metrics',
    DATABASE_URL: 'postgres://u:p@h/d',
  };
  expect(handlerEnvironment(env)).toEqual({ PATH: '/bin', CRM_TOKEN: 'crm' });
  expect(env.AUDIT_KEY).toBe('audit');
});
