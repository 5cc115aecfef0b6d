import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import { runAlone } from '../../src/inbox/run-alone.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

let under: TestStore;
let stop: AbortController;

beforeEach(async () => {
  under = await createTestStore();
  stop = new AbortController();
});
afterEach(() => under.remove());

const options = (owner: string, leaseMs = 60_000) => ({
  store: under.store,
  name: 'job',
  owner,
  leaseMs,
  signal: stop.signal,
});

const aborted = (signal: AbortSignal) =>
  new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve(String(signal.reason))));

describe('a job that one process at a time may run', () => {
  test('runs in one of those that come at once, and in the next after it', async () => {
    const { promise: hold, resolve: end } = Promise.withResolvers<string>();
    const first = runAlone(options('a'), () => hold);
    const second = await runAlone(options('b'), async () => 'too early');
    expect(second).toEqual({ ran: false });
    end('done');
    expect(await first).toEqual({ ran: true, result: 'done' });
    expect(await runAlone(options('b'), async () => 'next')).toEqual({ ran: true, result: 'next' });
  });

  test('gives its lease up when it fails, and throws on', async () => {
    const fault = new Error('the job broke');
    await expect(runAlone(options('a'), () => Promise.reject(fault))).rejects.toBe(fault);
    expect(await runAlone(options('b'), async () => 1)).toEqual({ ran: true, result: 1 });
  });

  test('keeps its lease for as long as it runs', async () => {
    const ran = await runAlone(options('a', 150), async (signal) => {
      const until = Date.now() + 500;
      while (Date.now() < until) {
        expect(await under.store.holdLease('job', 'b', 1)).toBe(false);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return signal.aborted;
    });
    expect(ran).toEqual({ ran: true, result: false });
  });

  test('is told when the service stops', async () => {
    const ran = runAlone(options('a'), aborted);
    await under.store.holdLease('other', 'a', 1);
    stop.abort('stopping');
    expect(await ran).toEqual({ ran: true, result: 'stopping' });
  });

  test('is told when its lease is lost, or when nobody knows', async () => {
    const taken = { holdLease: async () => true, releaseLease: () => Promise.reject(new StoreUnavailable('away')) };
    for (const renewed of [false, new StoreUnavailable('away')]) {
      let calls = 0;
      const holdLease = async (): Promise<boolean> => {
        calls += 1;
        if (calls === 1) return true;
        if (renewed instanceof Error) throw renewed;
        return renewed;
      };
      const ran = await runAlone({ ...options('a', 30), store: { ...taken, holdLease } }, aborted);
      expect(ran).toMatchObject({ ran: true, result: expect.stringContaining('the lease of job was lost') });
    }
  });
});
