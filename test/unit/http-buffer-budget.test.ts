import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { BufferBudget, PendingBody } from '../../src/http/buffer-budget.ts';
import { Exchange } from '../../src/http/exchange.ts';
import { OpenRequests } from '../../src/http/open-requests.ts';

const LIMITS = { maxBufferedBytes: 1_000, bodyLimitBytes: 400 };

let open: OpenRequests;
let budget: BufferBudget;
beforeEach(() => {
  open = new OpenRequests();
  budget = new BufferBudget(LIMITS, false, open);
});

interface Kind {
  readonly ip?: string;
  readonly declared?: number;
  /** Since it began; nothing that counts as progress has come. */
  readonly pausedMs?: number;
}

function begin({ ip = '10.0.0.1', declared = 400, pausedMs = 0 }: Kind = {}): Exchange {
  const exchange = new Exchange({ method: 'POST', headers: {} }, ip);
  exchange.pending = new PendingBody({ startedAt: exchange.startedAt - pausedMs, ip }, declared);
  open.add(exchange, {} as ServerResponse);
  return exchange;
}

function proven(): Exchange {
  const exchange = begin();
  exchange.pending = undefined;
  return exchange;
}

/** Begins one and has that much of it come. */
function holding(bytes: number, kind: Kind = {}): Exchange {
  const exchange = begin(kind);
  expect(budget.take(exchange, bytes)).toBe(true);
  return exchange;
}

const isGivenUp = ({ interruption }: Exchange): boolean => interruption.problem?.code === 'request-given-up';

describe('where memory for bodies runs short', () => {
  test('the slowest goes first, however little the others have brought', () => {
    const slow = holding(300, { pausedMs: 5_000 });
    const slower = holding(300, { pausedMs: 9_000 });
    const quick = holding(390, { ip: '10.0.0.2' });
    expect(budget.take(begin(), 100)).toBe(true);
    expect([slow, slower, quick].map(isGivenUp)).toEqual([false, true, false]);
    expect(budget.used).toBe(790);
  });

  test('of those that hold little for long and one that pauses in a large body, the former', () => {
    budget = new BufferBudget({ maxBufferedBytes: 11_000, bodyLimitBytes: 11_000 }, false, open);
    const strangers = Array.from({ length: 3 }, () => holding(320, { pausedMs: 4_000 }));
    const sender = holding(10_000, { pausedMs: 400 });
    expect(budget.take(begin(), 100)).toBe(true);
    expect([isGivenUp(sender), strangers.some(isGivenUp)]).toEqual([false, true]);
  });

  test.each([
    ['10.0.0.2', '10.0.0.2'],
    ['2001:db8::1', '2001:db8::ffff'],
  ])('of quick ones those of the address that holds the most (%s, %s)', (one, other) => {
    const alone = holding(320);
    const together = [holding(320, { ip: one }), holding(320, { ip: other })];
    expect(budget.take(begin({ ip: '10.0.0.3' }), 200)).toBe(true);
    expect([isGivenUp(alone), together.some(isGivenUp)]).toEqual([false, true]);
  });

  test('an address that has proven a delivery keeps its quick bodies', () => {
    budget.know('10.0.0.9');
    const known = [holding(390, { ip: '10.0.0.9' }), holding(390, { ip: '10.0.0.9' })];
    const stranger = holding(200);
    expect(budget.take(begin({ ip: '10.0.0.9' }), 100)).toBe(true);
    expect([...known, stranger].map(isGivenUp)).toEqual([false, false, true]);
  });

  test('the newest of equals finds no place, and none is given up for nothing', () => {
    const earlier = Array.from({ length: 5 }, () => holding(200));
    expect(budget.take(begin(), 150)).toBe(false);
    expect(earlier.some(isGivenUp)).toBe(false);
    const large = proven();
    expect(budget.take(large, 1_001)).toBe(false);
    expect(earlier.some(isGivenUp)).toBe(false);
    expect(budget.take(large, 400)).toBe(true);
    expect(budget.used).toBeLessThanOrEqual(1_000);
  });

  test('what is proven stays', () => {
    for (const _ of [1, 2]) expect(budget.take(proven(), 400)).toBe(true);
    expect(budget.take(begin(), 300)).toBe(false);
    expect(budget.take(proven(), 300)).toBe(false);
  });
});

test('an unproven body of which 16 KB have not come in ten seconds is given up, room or not', () => {
  budget = new BufferBudget({ maxBufferedBytes: 100_000, bodyLimitBytes: 100_000 }, false, open);
  const late = holding(1, { pausedMs: 11_000 });
  const slow = holding(1, { pausedMs: 9_000 });
  const alive = holding(17_000, { pausedMs: 11_000 });
  const trusted = proven();
  budget.giveUpStalled();
  expect([late, slow, alive, trusted].map(isGivenUp)).toEqual([true, false, false, false]);
  expect(late.interruption.problem?.reason).toBe('body-too-slow');
  expect(budget.used).toBe(17_001);
  // The end of its request gives back nothing more.
  budget.release(late);
  expect(budget.used).toBe(17_001);
});

test('addresses that proved a delivery are forgotten, the one seen first, for new ones', () => {
  budget.know('first');
  for (let at = 0; at < 1_000; at += 1) budget.know(`10.1.${at >> 8}.${at & 255}`);
  const forgotten = holding(390, { ip: 'first' });
  const known = holding(390, { ip: '10.1.0.1' });
  expect(budget.take(begin({ ip: '10.1.0.2' }), 300)).toBe(true);
  expect([forgotten, known].map(isGivenUp)).toEqual([true, false]);
});
