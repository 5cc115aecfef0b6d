import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/config/secret.ts';
import { startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { openAccounts } from '../../src/instantly/open-accounts.ts';
import { Pacer } from '../../src/instantly/pacer.ts';
import { pause } from '../../src/instantly/pause.ts';

const NEVER = new AbortController().signal;

describe('the pace', () => {
  test('is ten calls a second', async () => {
    const pacer = new Pacer(10);
    const began = performance.now();
    const times = await Promise.all(Array.from({ length: 14 }, () => pacer.turn(NEVER).then(() => performance.now())));
    // A timer may be two milliseconds early; a busy machine is late.
    for (const [index, time] of times.entries()) expect(time - began).toBeGreaterThan(100 * index - 5);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('has nothing to make up for where the process was held up', async () => {
    let now = 0;
    const lateBy = [0, 450, 0, 0, 7, 2_000, 0, 0];
    const pacer = new Pacer(10, {
      now: () => now,
      pause: async (milliseconds) => {
        await setImmediate();
        now += milliseconds + (lateBy.shift() ?? 0);
      },
    });
    const times = await Promise.all(Array.from({ length: 9 }, () => pacer.turn(NEVER).then(() => now)));
    expect(times).toEqual([0, 100, 650, 750, 850, 957, 3_057, 3_157, 3_257]);
  });

  test('does not drift where timers are early', async () => {
    let now = 0;
    const pacer = new Pacer(10, {
      now: () => now,
      pause: async (milliseconds) => {
        await setImmediate();
        now += milliseconds - 1;
      },
    });
    const times = await Promise.all(Array.from({ length: 4 }, () => pacer.turn(NEVER).then(() => now)));
    expect(times).toEqual([0, 99, 199, 299]);
  });

  test('is no pace where nobody hurries', async () => {
    let now = 0;
    const pacer = new Pacer(0.001, { now: () => now, pause });
    for (let turn = 0; turn < 5; turn += 1) {
      await pacer.turn(NEVER);
      now += 1_000_000;
    }
  });

  test('lets go of whoever is told to end, and gives his turn to the next', async () => {
    let now = 0;
    const pacer = new Pacer(2, {
      now: () => now,
      pause: async (milliseconds, signal) => {
        await setImmediate();
        signal.throwIfAborted();
        now += milliseconds;
      },
    });
    await pacer.turn(NEVER);
    const [first, second] = [new AbortController(), new AbortController()];
    const waiting = [pacer.turn(first.signal), pacer.turn(second.signal), pacer.turn(NEVER)];
    const reason = new Error('ended by the operator');
    // Even of whoever is not the next.
    second.abort(reason);
    await expect(waiting[1]).rejects.toBe(reason);
    first.abort(reason);
    await expect(waiting[0]).rejects.toBe(reason);
    await expect(pacer.turn(first.signal)).rejects.toBe(reason);
    await waiting[2];
    expect(now).toBe(500);
  });

  test('is shared by what reads and what writes', async () => {
    const fake = await startFakeInstantly();
    const { reader, writer } = openAccounts(
      {
        apiUrl: fake.url,
        readKey: { setting: 'INSTANTLY_READ_KEY', secret: new Secret(fake.keys.read) },
        writeKey: { setting: 'INSTANTLY_WRITE_KEY', secret: new Secret(fake.keys.all) },
      },
      'operator',
      () => undefined,
    );
    const missing = '00000000-0000-4000-8000-000000000000';
    const began = Date.now();
    const asked = Array.from({ length: 4 }, () => [reader?.eventTypes(NEVER), writer?.deleteWebhook(missing, NEVER)]);
    await Promise.all(asked.flat());
    const times = fake.calls().map(({ at }) => at);
    expect(times).toHaveLength(8);
    expect(Math.max(...times) - began).toBeGreaterThan(690);
    await fake.close();
  });
});
