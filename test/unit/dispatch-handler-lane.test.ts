import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { HandlerLane } from '../../src/dispatch/handler-lane.ts';

let now: number;

beforeEach(() => {
  now = 1_000;
});

const laneOf = (concurrency: number): HandlerLane => new HandlerLane({ concurrency, now: () => now });
/** What has become of one by now. */
async function stateOf(entering: Promise<boolean>): Promise<boolean | 'waits'> {
  return Promise.race([entering, new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))]);
}

describe('the places of a handler', () => {
  test('are as many as may run at once, and who waits comes in by turn', async () => {
    const lane = laneOf(2);
    const [first, second, third, fourth] = [lane.enter(1), lane.enter(1), lane.enter(1), lane.enter(1)];
    expect([await first, await second, await stateOf(third)]).toEqual([true, true, 'waits']);
    lane.leave();
    expect([await third, await stateOf(fourth)]).toEqual([true, 'waits']);
    lane.leave();
    expect(await fourth).toBe(true);
  });

  test('are all that is wanted of a handler that has not shown its pace, or is slow', () => {
    const lane = laneOf(16);
    expect(lane.wanted).toBe(16);
    for (let n = 0; n < 16; n += 1) void lane.enter(1);
    expect(lane.wanted).toBe(0);
    lane.leave();
    expect(lane.wanted).toBe(2);
    now += 200;
    expect(lane.wanted).toBe(1);
  });

  test('are wanted ahead by what it has run within a tenth of a second, up to a bound', async () => {
    const lane = laneOf(1);
    for (let n = 0; n < 50; n += 1) {
      await lane.enter(1);
      lane.leave();
    }
    expect(lane.wanted).toBe(51);
    now += 100;
    expect(lane.wanted).toBe(51);
    now += 100;
    expect(lane.wanted).toBe(1);
    for (let n = 0; n < 5_000; n += 1) {
      await lane.enter(1);
      lane.leave();
    }
    expect(lane.wanted).toBe(257);
  });

  test('nothing is wanted ahead where large bodies wait', async () => {
    const lane = laneOf(1);
    await lane.enter(1);
    for (let n = 0; n < 9; n += 1) {
      lane.leave();
      await lane.enter(1);
    }
    expect(lane.wanted).toBe(9);
    void lane.enter(8 * 1024 * 1024);
    expect(lane.wanted).toBe(0);
    lane.leave();
    expect(lane.wanted).toBeGreaterThan(0);
  });

  test('who has waited for two seconds goes back', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] });
    try {
      const lane = laneOf(1);
      await lane.enter(1);
      const [first] = [lane.enter(1)];
      now += 1_500;
      const second = lane.enter(1);
      now += 500;
      jest.advanceTimersByTime(2_000);
      expect([await stateOf(first), await stateOf(second)]).toEqual([false, 'waits']);
      now += 1_500;
      jest.advanceTimersByTime(1_500);
      expect(await stateOf(second)).toBe(false);
      // The place is still taken by the one that runs.
      expect(await stateOf(lane.enter(1))).toBe('waits');
    } finally {
      jest.useRealTimers();
    }
  });

  test('once it is stopped nobody comes in, nor waits', async () => {
    const lane = laneOf(1);
    await lane.enter(1);
    const waiting = lane.enter(1);
    lane.stop();
    expect([await waiting, await lane.enter(1), lane.wanted]).toEqual([false, false, 0]);
    lane.leave();
    expect(lane.wanted).toBe(0);
  });

  test('never more run than may, and everybody comes in once, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        async (most, steps) => {
          const lane = laneOf(most);
          let [running, entered, left] = [0, 0, 0];
          const enter = async (): Promise<void> => {
            if (await lane.enter(1)) {
              running += 1;
              entered += 1;
            }
          };
          const all: Promise<void>[] = [];
          for (const comes of steps) {
            if (comes) all.push(enter());
            else if (running > 0) {
              running -= 1;
              left += 1;
              lane.leave();
            }
            await new Promise((resolve) => setImmediate(resolve));
            expect(running).toBeLessThanOrEqual(most);
            expect(running).toBe(Math.min(most, all.length - left));
          }
          expect(entered).toBe(Math.min(all.length, left + most));
        },
      ),
    );
  });
});
