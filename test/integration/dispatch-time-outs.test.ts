import { describe, expect, test } from '@jest/globals';
import {
  done,
  failed,
  folder,
  limits,
  run,
  runAll,
  start,
  timedOut,
  timeoutMs,
} from '../unit/dispatch-runner-support.ts';
import { makeDelivery } from '../unit/dispatch-support.ts';

describe('a time-out', () => {
  test('aborts the signal, and a handler that obeys it has failed, however it ends', async () => {
    const runner = start(
      'obeys',
      `await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
       say(context.signal.reason.name);
       if (event.payload.n === 1) throw context.signal.reason;`,
    );
    expect(await runAll(runner, 'obeys', [1, 2])).toEqual([timedOut, timedOut]);
    await folder.until('TimeoutError', 2);
    expect(runner.threads).toBe(1);
  });

  test('of one that awaits for ever costs it nothing but its own attempt, and its thread', async () => {
    const runner = start(
      'awaits',
      `const { threadId } = await import('node:worker_threads');
       if (event.payload.n === 1) { say('hangs in ' + threadId); await forever(); }
       await new Promise((resolve) => setTimeout(resolve, event.payload.wait));
       say(event.payload.n + ' in ' + threadId);`,
    );
    const hanging = run(runner, makeDelivery('awaits', { payload: { n: 1 } }));
    await run(runner, makeDelivery('awaits', { payload: { n: 2, wait: 400 } }));
    // Under way when the thread is retired: it runs to its end there.
    const beside = run(runner, makeDelivery('awaits', { payload: { n: 3, wait: 600 } }));
    expect(await hanging).toEqual(timedOut);
    const after = run(runner, makeDelivery('awaits', { payload: { n: 4, wait: 0 } }));
    expect(await Promise.all([beside, after])).toEqual([done, done]);
    const [first, ...others] = folder.heard.map((word) => word.split(' in '));
    expect(others.map(([n, thread]) => [n, thread === first?.[1]])).toEqual([
      ['2', true],
      ['3', true],
      ['4', false],
    ]);
  });

  test('of one is not taken for the fault of another that is at work, within its own time, when it comes', async () => {
    const runner = start(
      'busy',
      `if (event.payload.n === 1) { setTimeout(() => say('half'), 600); await forever(); }
       const end = Date.now() + 900; while (Date.now() < end) {}`,
      { timeoutMs: 1_000, limits: { ...limits, graceMs: 300 } },
    );
    const hanging = run(runner, makeDelivery('busy', { payload: { n: 1 } }));
    await folder.until('half');
    const working = run(runner, makeDelivery('busy', { payload: { n: 2 } }));
    expect(await Promise.all([hanging, working])).toEqual([failed('timed-out', 'timed out after 1 s'), done]);
  });

  test('of one that never yields ends its thread, and the others in it are not counted', async () => {
    const runner = start('spins', "say('begins'); if (event.payload.n === 2) while (true) {} await forever();");
    const outcomes = runAll(runner, 'spins', [1, 2, 3]);
    // The first had begun when the second took the thread; the third never had its turn.
    expect(await outcomes).toEqual([{ kind: 'released' }, timedOut, { kind: 'released' }]);
    expect(folder.count('begins')).toBe(2);
    await expect(run(start('other', ''), makeDelivery('other'))).resolves.toEqual(done);
  });

  test('of one that stops yielding after an await is found out by running each alone', async () => {
    const runner = start(
      'later',
      `say('call ' + event.payload.n); await null;
       if (event.payload.n === 2) { await new Promise(setImmediate); await new Promise(setImmediate); while (true) {} }
       await new Promise((resolve) => setTimeout(resolve, 300));`,
    );
    expect(await runAll(runner, 'later', [1, 2, 3])).toEqual([done, timedOut, done]);
    // Whoever could have been it began twice.
    expect([1, 2, 3].map((n) => folder.count(`call ${n}`))).toEqual([2, 2, 2]);
  });

  test('whose culprit is unknown counts for nobody where their leases leave no time to run them alone', async () => {
    const runner = start('later', 'await new Promise((resolve) => setTimeout(resolve, 100)); while (true) {}');
    const leaseUntil = Date.now() + timeoutMs + limits.graceMs + limits.endMs + 5_000;
    const outcomes = [1, 2].map(() => runner.run(makeDelivery('later'), leaseUntil));
    expect(await Promise.all(outcomes)).toEqual([{ kind: 'released' }, { kind: 'released' }]);
  });

  test('counts from the moment its handler is called: honest work before it in the thread is no fault of its own', async () => {
    const runner = start('works', 'const end = Date.now() + 300; while (Date.now() < end) {}');
    expect(await runAll(runner, 'works', [1, 2, 3, 4, 5])).toEqual([done, done, done, done, done]);
    expect(runner.threads).toBe(1);
  });

  test('is given back, and not run any more, when its lease leaves no time to begin', async () => {
    const runner = start(
      'queues',
      "say('runs ' + event.payload.n); const end = Date.now() + 1_000; while (Date.now() < end) {}",
      { timeoutMs: 3_000 },
    );
    expect(await run(runner, makeDelivery('queues', { payload: { n: 0 } }))).toEqual(done);
    // To begin within a second and a half: the third one's turn comes after two.
    const leaseUntil = Date.now() + 3_000 + limits.graceMs + limits.endMs + 1_500;
    const outcomes = [1, 2, 3].map((n) => runner.run(makeDelivery('queues', { payload: { n } }), leaseUntil));
    expect(await Promise.all(outcomes)).toEqual([done, done, { kind: 'released' }]);
    expect(await run(runner, makeDelivery('queues', { payload: { n: 4 } }))).toEqual(done);
    expect(folder.heard).toEqual(['runs 0', 'runs 1', 'runs 2', 'runs 4']);
  });

  test('is not held against one that cannot begin because of what an earlier one left behind', async () => {
    const runner = start(
      'leaves',
      'if (event.payload.n === 1) setTimeout(() => { say("spins"); while (true) {} }, 100);',
    );
    expect(await run(runner, makeDelivery('leaves', { payload: { n: 1 } }))).toEqual(done);
    await folder.until('spins');
    expect(await run(runner, makeDelivery('leaves', { payload: { n: 2 } }))).toEqual({ kind: 'released' });
    expect(await run(runner, makeDelivery('leaves', { payload: { n: 3 } }))).toEqual(done);
  });
});
