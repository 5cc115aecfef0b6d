import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Clock } from '../../src/fake-instantly/clock.ts';
import { idMaker } from '../../src/fake-instantly/new-ids.ts';
import { NewestList } from '../../src/fake-instantly/newest-list.ts';

describe('the clock', () => {
  test('runs what falls due in order, each at its own time, whatever the steps', async () => {
    const steps = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 10 });
    const times = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(times, steps, async (due, advances) => {
        const clock = new Clock(() => 1_000);
        const ran: [number, number, number][] = [];
        for (const [index, at] of due.entries()) {
          clock.schedule(1_000 + at, async () => ran.push([at, index, clock.now()]));
        }
        for (const step of advances) await clock.advance(step);
        const now = 1_000 + advances.reduce((sum, step) => sum + step, 0);
        expect(clock.now()).toBe(now);
        const expected = due
          .map((at, index): [number, number, number] => [at, index, 1_000 + at])
          .filter(([, , at]) => at <= (advances.length === 0 ? 0 : now))
          .sort(([one, first], [other, second]) => one - other || first - second);
        expect(ran).toEqual(expected);
        expect(clock.waiting).toBe(due.length - expected.length);
      }),
    );
  });

  test('runs what is put off on the way too, and waits for all of it', async () => {
    const clock = new Clock(() => 0);
    const ran: string[] = [];
    clock.schedule(10, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      ran.push(`first at ${clock.now()}`);
      clock.schedule(15, async () => ran.push(`second at ${clock.now()}`));
    });
    clock.schedule(20, async () => ran.push(`third at ${clock.now()}`));
    await Promise.all([clock.advance(12), clock.advance(8)]);
    expect(ran).toEqual(['first at 10', 'second at 15', 'third at 20']);
  });

  test('what is taken back does not run', async () => {
    const clock = new Clock(() => 0);
    const ran: string[] = [];
    const takeBack = clock.schedule(5, async () => ran.push('a'));
    clock.schedule(5, async () => ran.push('b'));
    takeBack();
    takeBack();
    await clock.advance(10);
    expect(ran).toEqual(['b']);
  });

  test('follows a clock of somebody else, and runs what is due when asked', async () => {
    let time = 100;
    const clock = new Clock(() => time);
    const ran: number[] = [];
    clock.schedule(150, async () => ran.push(clock.now()));
    time = 180;
    expect(ran).toEqual([]);
    await clock.advance(0);
    expect(ran).toEqual([180]);
  });

  test('one that fails does not keep back the next', async () => {
    const clock = new Clock(() => 0);
    const ran: string[] = [];
    clock.schedule(1, () => Promise.reject(new Error('broken')));
    clock.schedule(2, async () => ran.push('next'));
    await expect(clock.advance(5)).rejects.toThrow('broken');
    await clock.advance(5);
    expect(ran).toEqual(['next']);
  });

  test('by itself runs in real time, and what hangs holds up nobody', async () => {
    const clock = new Clock();
    const events = new EventTarget();
    clock.schedule(clock.now(), () => new Promise(() => undefined));
    clock.schedule(clock.now() + 1, async () => events.dispatchEvent(new Event('ran')));
    const keepAlive = setInterval(() => undefined, 1_000);
    await once(events, 'ran');
    clearInterval(keepAlive);
    clock.close();
  });
});

describe('ids', () => {
  test('ascend whatever the clock does', () => {
    const steps = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(steps, (moves) => {
        let time = 1_700_000_000_000;
        const newId = idMaker(() => time);
        const ids = moves.map((move) => {
          time += move;
          return newId();
        });
        expect(ids).toEqual([...new Set(ids)].sort());
      }),
    );
  });
});

describe('the newest', () => {
  test('are kept up to a number and up to a number of bytes, and the others told', () => {
    const adds = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 100 });
    fc.assert(
      fc.property(adds, fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 60 }), (sizes, limit, byteLimit) => {
        const dropped: number[] = [];
        const list = new NewestList<number>(limit, byteLimit, (item) => dropped.push(item));
        for (const [index, bytes] of sizes.entries()) list.add(index, bytes);
        const kept = list.oldestFirst();
        expect([...dropped, ...kept]).toEqual(sizes.map((_, index) => index));
        expect([...list.newestFirst()].reverse()).toEqual(kept);
        const bytesOf = (items: readonly number[]): number =>
          items.reduce((sum, index) => sum + (sizes[index] ?? 0), 0);
        expect(kept.length === 1 || bytesOf(kept) <= byteLimit).toBe(true);
        expect(kept.length).toBeLessThanOrEqual(limit);
        expect(list.size).toBe(kept.length);
      }),
    );
  });
});
