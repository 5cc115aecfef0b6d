import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterFailure, backoffCeiling } from '../../src/inbox/retry-schedule.ts';

const rule = { maxAttempts: 12, backoffBaseMs: 5_000, backoffCapMs: 21_600_000 };
const almostOne = 1 - Number.EPSILON / 2;

describe('backoffCeiling', () => {
  test.each([
    [1, 5_000],
    [2, 10_000],
    [3, 20_000],
    [12, 10_240_000],
    [14, 21_600_000],
    [5_000, 21_600_000],
  ])('after attempt %i it is %i ms', (attempt, ceiling) => {
    expect(backoffCeiling(attempt, rule)).toBe(ceiling);
  });

  test('stays a number where the base is 0 or the attempt is not counted from 1', () => {
    expect(backoffCeiling(5_000, { backoffBaseMs: 0, backoffCapMs: 100 })).toBe(0);
    expect(backoffCeiling(0, rule)).toBe(5_000);
  });
});

describe('afterFailure', () => {
  test('takes the whole span from nothing to the ceiling', () => {
    expect(afterFailure(3, rule, () => 0)).toEqual({ state: 'pending', delayMs: 0 });
    expect(afterFailure(3, rule, () => 0.5)).toEqual({ state: 'pending', delayMs: 10_000 });
    expect(afterFailure(3, rule, () => almostOne)).toEqual({ state: 'pending', delayMs: 20_000 });
  });

  test('the last attempt is the end', () => {
    expect(afterFailure(11, rule)).toMatchObject({ state: 'pending' });
    expect(afterFailure(12, rule)).toEqual({ state: 'dead' });
    // The setting may have been lowered since this delivery was last tried.
    expect(afterFailure(13, rule)).toEqual({ state: 'dead' });
  });

  test('whatever the rule, a delay is a whole number between 0 and the ceiling, and the ceiling never falls', () => {
    const rules = fc.record({
      maxAttempts: fc.integer({ min: 2, max: 10_000 }),
      backoffBaseMs: fc.nat({ max: 3_600_000 }),
      backoffCapMs: fc.nat({ max: 604_800_000 }),
    });
    const fraction = fc.double({ min: 0, max: almostOne, noNaN: true });
    fc.assert(
      fc.property(rules, fc.nat({ max: 10_000 }), fraction, (anyRule, skip, drawn) => {
        const attempt = 1 + (skip % (anyRule.maxAttempts - 1));
        const next = afterFailure(attempt, anyRule, () => drawn);
        if (next.state === 'dead') throw new Error(`dead after attempt ${attempt} of ${anyRule.maxAttempts}`);
        expect(Number.isInteger(next.delayMs)).toBe(true);
        expect(next.delayMs).toBeGreaterThanOrEqual(0);
        expect(next.delayMs).toBeLessThanOrEqual(backoffCeiling(attempt, anyRule));
        expect(next.delayMs).toBeLessThanOrEqual(anyRule.backoffCapMs);
        expect(backoffCeiling(attempt + 1, anyRule)).toBeGreaterThanOrEqual(backoffCeiling(attempt, anyRule));
      }),
    );
  });

  test('spreads what failed together over the whole span', () => {
    const delays = new Set<number>();
    let low = 0;
    for (let i = 0; i < 1_000; i++) {
      const next = afterFailure(1, rule);
      if (next.state === 'dead') throw new Error('dead after one attempt');
      delays.add(next.delayMs);
      if (next.delayMs < 2_500) low++;
    }
    expect(delays.size).toBeGreaterThan(500);
    expect(low).toBeGreaterThan(350);
    expect(low).toBeLessThan(650);
  });
});
