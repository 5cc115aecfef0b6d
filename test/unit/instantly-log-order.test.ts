import { describe, expect, test } from '@jest/globals';
import { LogOrder } from '../../src/instantly/log-order.ts';
import { attempt } from '../support/instantly-log.ts';

const NOW = Date.now();

describe('the order of a log', () => {
  const told = (...minutes: number[]): LogOrder => {
    const order = new LogOrder();
    order.take(minutes.map((ago) => attempt(NOW - ago * 60_000)));
    return order;
  };
  const old = [attempt(NOW - 600 * 60_000)];
  /** Minutes ago. */
  const TEN = Array.from({ length: 10 }, (_, index) => 10 + index * 10);

  test.each([
    ['the newest first', TEN, true],
    ['the newest first, but too few to tell', TEN.slice(1), false],
    ['all but side by side', [...TEN, 99.5, 100, 110], true],
    ['the oldest first', TEN.toReversed(), false],
    ['none', [...TEN, 50, 110], false],
    ['at one time', TEN.map(() => 20), false],
    ['nothing', [], false],
  ])('%s', (_, minutes, isPast) => {
    expect(told(...minutes).isPast(old, NOW - 60 * 60_000)).toBe(isPast);
  });

  test('a page whose last entry is of use, of no time, or just too old, is not past', () => {
    const order = told(...TEN);
    expect(order.isPast([...old, attempt(NOW)], NOW - 60 * 60_000)).toBe(false);
    expect(order.isPast([...old, attempt(NOW, { timestamp_created: null })], NOW - 60 * 60_000)).toBe(false);
    expect(order.isPast([attempt(NOW - 60 * 60_000 - 1)], NOW - 60 * 60_000)).toBe(false);
    expect(order.isPast([], NOW)).toBe(false);
  });
});
