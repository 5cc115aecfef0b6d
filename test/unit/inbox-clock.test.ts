import { beforeEach, describe, expect, test } from '@jest/globals';
import { forLeases, neverSetBack } from '../../src/inbox/clock.ts';

const START = 1_700_000_000_000;
const HOUR = 3_600_000;
const LEASE = 60_000;

let wall: number;
let passed: number;
const clocks = { clock: () => wall, monotonic: () => passed };

/** Time goes by on both. */
function pass(milliseconds: number): void {
  wall += milliseconds;
  passed += milliseconds;
}

beforeEach(() => {
  wall = START;
  passed = 500;
});

describe('a clock that is never set back', () => {
  test('goes on where the other one is set back, and meets it again', () => {
    const now = neverSetBack(clocks);
    pass(1_000);
    expect(now()).toBe(START + 1_000);
    wall -= HOUR;
    pass(3_000);
    expect(now()).toBe(START + 4_000);
    pass(10_000);
    expect(now()).toBe(START + 14_000);
    wall += HOUR;
    pass(10);
    expect([now(), wall]).toEqual([START + 14_010, START + 14_010]);
  });

  test('follows one that is set forward, and stays there where that is corrected', () => {
    const now = neverSetBack(clocks);
    wall += HOUR;
    expect(now()).toBe(START + HOUR);
    pass(2_000);
    wall -= HOUR;
    expect(now()).toBe(START + HOUR + 2_000);
    pass(2_000);
    expect(now()).toBe(START + HOUR + 4_000);
  });

  test('follows one that is corrected little by little, and never goes back by it', () => {
    const now = neverSetBack(clocks);
    wall -= 300;
    expect(now()).toBe(START);
    pass(400);
    expect(now()).toBe(START + 100);
  });

  test('gives whole milliseconds', () => {
    const now = neverSetBack(clocks);
    passed += 1_234.567;
    wall -= HOUR;
    expect(Number.isInteger(now())).toBe(true);
  });
});

describe('the clock of leases', () => {
  test('ends none early where the clock is set forward, and follows once those of before are over', () => {
    const now = forLeases({ ...clocks, clock: neverSetBack(clocks) }, LEASE);
    pass(1_000);
    expect(now()).toBe(START + 1_000);
    wall += HOUR;
    pass(3_000);
    expect(now()).toBe(START + 4_000);
    pass(LEASE - 1_000);
    expect(now()).toBe(START + 3_000 + LEASE);
    pass(3_000);
    expect(now()).toBe(wall);
    pass(3_000);
    expect(now()).toBe(wall);
  });
});
