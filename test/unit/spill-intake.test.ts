import { beforeEach, describe, expect, test } from '@jest/globals';
import { Intake, type SpillChange } from '../../src/stores/spill/intake.ts';
import { limitTime } from '../../src/stores/spill/limit-time.ts';

const EMPTY = { events: 0, bytes: 0, isEmpty: true };

let changes: SpillChange[];
let intake: Intake;

beforeEach(() => {
  changes = [];
  intake = new Intake(EMPTY, (change) => changes.push(change));
});

describe('the way back to the primary store', () => {
  beforeEach(() => intake.leaveDirect('away'));

  test('is closed while a commit is on its way into the spill, be the spill empty as far as is known', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const going = intake.intoSpill(() => promise);
    expect(intake.tryDirect()).toBe(false);
    resolve();
    await going;
    expect([intake.tryDirect(), intake.state]).toEqual([true, 'direct']);
  });

  test('is closed while the spill holds anything', () => {
    intake.sized({ events: 0, bytes: 10, isEmpty: false });
    expect([intake.tryDirect(), intake.state]).toEqual([false, 'spilling']);
    intake.sized(EMPTY);
    expect(intake.tryDirect()).toBe(true);
  });

  test('is closed after a commit was given up, which may get there late, until the spill has answered again', async () => {
    await expect(intake.intoSpill(() => Promise.reject(new Error('given up')))).rejects.toThrow('given up');
    expect(intake.tryDirect()).toBe(false);
    intake.sized(EMPTY);
    expect(intake.tryDirect()).toBe(true);
  });
});

describe('the state', () => {
  test('is left by the first failure, and told once for each change', () => {
    intake.fallBack('nothing was spilled');
    intake.leaveDirect('away');
    intake.leaveDirect('still away');
    intake.drain();
    intake.leaveDirect('a commit of before has failed');
    intake.fallBack('gone');
    intake.fallBack('gone');
    intake.tryDirect();
    intake.drain();
    expect(changes.map(({ state, reason }) => `${state}: ${reason}`)).toEqual([
      'spilling: away',
      'draining: the primary store answers again',
      'spilling: gone',
      'direct: null',
    ]);
  });
});

describe('the gate', () => {
  test('lets nobody through while it is closed, and those who have waited long enough', async () => {
    await intake.passGate(60_000);
    const open = intake.closeGate();
    let isThrough = false;
    const passing = intake.passGate(60_000).then(() => {
      isThrough = true;
    });
    await intake.passGate(5);
    expect(isThrough).toBe(false);
    open();
    await passing;
    expect(isThrough).toBe(true);
    await intake.passGate(60_000);
  });

  test('is waited at for the commits that had come through before', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const going = intake.intoSpill(() => promise);
    let isSettled = false;
    const settling = intake.settled().then(() => {
      isSettled = true;
    });
    await new Promise((turn) => setImmediate(turn));
    expect(isSettled).toBe(false);
    resolve();
    await Promise.all([going, settling]);
  });
});

describe('a limit of time', () => {
  test('gives what comes in time, as it comes', async () => {
    await expect(limitTime(Promise.resolve(1), 60_000, 'it did not come')).resolves.toBe(1);
    await expect(limitTime(Promise.reject(new Error('no')), 60_000, 'it did not come')).rejects.toThrow('no');
  });

  test('says what did not come, and does not mind what comes later', async () => {
    const late = Promise.withResolvers<void>();
    await expect(limitTime(late.promise, 5, 'it did not come')).rejects.toMatchObject({
      name: 'StoreUnavailable',
      message: 'it did not come within 5 ms',
    });
    late.reject(new Error('too late'));
    await new Promise((turn) => setImmediate(turn));
  });
});
