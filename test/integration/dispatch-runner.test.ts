import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HandlerRunner, MAX_THREADS, type RunnerOptions } from '../../src/dispatch/handler-runner.ts';
import { leaseLength, RUN_LIMITS } from '../../src/dispatch/limits.ts';
import type { RunOutcome } from '../../src/dispatch/run-outcome.ts';
import type { ClaimedDelivery } from '../../src/inbox/store.ts';
import { HandlerFolder, makeDelivery, TestLog } from '../unit/dispatch-support.ts';

const limits = { ...RUN_LIMITS, graceMs: 700 };
const timeoutMs = 700;

let folder: HandlerFolder;
let log: TestLog;
let runners: HandlerRunner[];

beforeEach(() => {
  folder = new HandlerFolder();
  log = new TestLog();
  runners = [];
});

afterEach(async () => {
  await Promise.all(runners.map((runner) => runner.end()));
  expect(runners.map(({ threads }) => threads)).toEqual(runners.map(() => 0));
  folder.remove();
  log.remove();
});

function start(handler: string, body: string, more: Partial<RunnerOptions> = {}): HandlerRunner {
  const runner = new HandlerRunner({
    handler,
    file: folder.writeHandle(handler, body),
    env: process.env,
    logLevel: 'info',
    logFd: log.fd,
    logger: log.logger,
    limits,
    timeoutMs,
    clock: Date.now,
    onRoom: () => undefined,
    ...more,
  });
  runners.push(runner);
  return runner;
}

const run = (runner: HandlerRunner, delivery: ClaimedDelivery): Promise<RunOutcome> =>
  runner.run(delivery, Date.now() + leaseLength(timeoutMs, limits));

/** By the number in their payload. */
function runAll(runner: HandlerRunner, handler: string, numbers: readonly number[]): Promise<RunOutcome[]> {
  return Promise.all(numbers.map((n) => run(runner, makeDelivery(handler, { payload: { n } }))));
}

const failed = (failure: string, error: unknown = expect.any(String)) =>
  expect.objectContaining({ kind: 'failed', failure, error });
const done = { kind: 'done' };
const timedOut = failed('timed-out', 'timed out after 0.7 s');

describe('an attempt', () => {
  test('gets event and context, built in its thread', async () => {
    const runner = start(
      'sees',
      `say(JSON.stringify([event, event.receivedAt instanceof Date, context.payload === event.payload,
        Buffer.from(context.rawBody).toString(), context.attempt, context.idempotencyKey, context.outOfOrder,
        context.replay, context.signal.aborted]));`,
    );
    const delivery = makeDelivery('sees', {
      attempt: 3,
      replay: true,
      receivedAt: 1_700_000_000_000,
      timestamp: 1_600_000_000_000,
      lead: 'a@b.example',
      payload: { x: 1 },
    });
    expect(await run(runner, delivery)).toEqual(done);
    await folder.until(folder.heard[0] ?? '');
    expect(JSON.parse(folder.heard[0] ?? '')).toEqual([
      {
        id: delivery.eventId,
        type: 'reply_received',
        rawType: 'reply_received',
        receivedAt: '2023-11-14T22:13:20.000Z',
        timestamp: '2020-09-13T12:26:40.000Z',
        lead: 'a@b.example',
        payload: { x: 1 },
      },
      true,
      true,
      '{"x":1}',
      3,
      `${delivery.eventId}:sees`,
      false,
      true,
      false,
    ]);
  });

  test('gets its own bytes, and none of those that lie beside them in memory', async () => {
    const runner = start('bytes', "say(context.rawBody.byteLength + ' of ' + context.rawBody.buffer.byteLength)");
    const pool = Buffer.alloc(1_000, ' ');
    pool.write('{"x":1}', 100);
    expect(await run(runner, makeDelivery('bytes', { body: pool.subarray(100, 107) }))).toEqual(done);
    await folder.until('7 of 7');
  });

  test('cannot speak for the thread, as a library that finds itself in one may', async () => {
    const runner = start(
      'meddles',
      `const { parentPort } = await import('node:worker_threads');
       parentPort.postMessage('anything');
       parentPort.postMessage({ settled: 1, aborted: false });
       throw new Error('its own word');`,
    );
    expect(await run(runner, makeDelivery('meddles'))).toEqual(failed('threw', 'Error: its own word'));
  });

  test('takes a payload too deep to be passed from thread to thread', async () => {
    const runner = start(
      'deep',
      'let n = 0; for (let at = event.payload.x; Array.isArray(at); at = at[0]) n += 1; say(n);',
    );
    const depth = 100_000;
    const body = Buffer.from(`{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(await run(runner, makeDelivery('deep', { body }))).toEqual(done);
    await folder.until(String(depth));
  });

  test.each([
    ['an Error', "throw new TypeError('no such deal')", 'TypeError: no such deal'],
    ['a string', "throw 'just this'", 'thrown without an Error: just this'],
    ['nothing', 'throw undefined', 'thrown without an Error: undefined'],
    ['a rejection', "await Promise.reject(new Error('late'))", 'Error: late'],
    ['what cannot be read', "throw new Proxy(new Error('x'), { get() { throw 1 } })", expect.any(String)],
    ['an address', "throw new Error('no contact jane.doe@lead.example')", 'Error: no contact [address]'],
  ])('that throws %s has failed', async (_what, body, error) => {
    expect(await run(start('throws', body), makeDelivery('throws'))).toEqual(failed('threw', error));
  });

  test('says where in its own file it failed', async () => {
    const runner = start('where', "\n\nthrow new Error('here')");
    expect(await run(runner, makeDelivery('where'))).toMatchObject({
      where: expect.stringMatching(/^where\.mjs:\d+:\d+$/),
    });
  });
});

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

describe('a thread that is lost', () => {
  test('to process.exit costs whoever called it an attempt, before or after an await', async () => {
    const runner = start(
      'exits',
      `if (event.payload.n === 2) process.exit(0);
       if (event.payload.n === 5) { await null; process.exit(0); }
       await forever();`,
    );
    const exit = failed('thread-ended', 'process.exit was called');
    expect(await runAll(runner, 'exits', [1, 2, 3])).toEqual([{ kind: 'released' }, exit, { kind: 'released' }]);
    expect(await runAll(runner, 'exits', [4, 5])).toEqual([{ kind: 'released' }, exit]);
  });

  test('to a full heap is given up alone, and the innocent run again', async () => {
    const runner = start(
      'hoards',
      `await new Promise((resolve) => setTimeout(resolve, 100));
       if (event.payload.n === 2) { const hoard = []; for (;;) { hoard.push({ a: [1, 2, 3] }); if (hoard.length % 1e5 === 0) await null; } }
       await new Promise((resolve) => setTimeout(resolve, 200));`,
      { heapMb: 48, timeoutMs: 20_000 },
    );
    const lease = Date.now() + leaseLength(20_000, limits);
    const outcomes = [1, 2, 3].map((n) => runner.run(makeDelivery('hoards', { payload: { n } }), lease));
    const full = failed('thread-ended', 'it filled the memory of its thread');
    expect(await Promise.all(outcomes)).toEqual([done, full, done]);
  });

  test.each([
    ['a forgotten promise', "Promise.reject(new Error('forgotten'))"],
    ['a timer', "setTimeout(() => { throw new Error('forgotten') }, 10)"],
    ['an abort listener', "context.signal.addEventListener('abort', () => { throw new Error('forgotten') })"],
  ])('to an error of %s that nothing catches: it fails, others go on to their end', async (what, code) => {
    const runner = start(
      'forgets',
      `if (event.payload.n === 1) { ${code}; await forever(); }
       await new Promise((resolve) => setTimeout(resolve, 300)); say('ended');`,
    );
    const expected = what === 'an abort listener' ? timedOut : failed('threw', 'Error: forgotten');
    expect(await runAll(runner, 'forgets', [1, 2])).toEqual([expected, done]);
    expect(folder.count('ended')).toBe(1);
    expect(await run(runner, makeDelivery('forgets', { payload: { n: 3 } }))).toEqual(done);
  });

  test('after all its deliveries were done costs nothing', async () => {
    const runner = start('trails', 'setTimeout(() => { say("late"); throw new Error("late"); }, 20);');
    expect(await runAll(runner, 'trails', [1, 2])).toEqual([done, done]);
    await folder.until('late');
    expect(await run(runner, makeDelivery('trails'))).toEqual(done);
  });

  test('because its file is gone or is another handler fails what is in it', async () => {
    const gone = start('gone', '', { file: `${folder.dir}/nowhere.mjs` });
    expect(await run(gone, makeDelivery('gone'))).toEqual(
      failed('not-loaded', expect.stringMatching(/ERR_MODULE_NOT_FOUND/)),
    );
    const renamed = start('renamed', '', { file: folder.writeHandle('another', '') });
    expect(await run(renamed, makeDelivery('renamed'))).toEqual(failed('not-loaded'));
    const hangs = start('hangs', '', {
      file: folder.write('waits.mjs', 'await forever(); export default {}'),
      limits: { ...limits, startMs: 300 },
    });
    expect(await run(hangs, makeDelivery('hangs'))).toEqual(
      failed('not-loaded', 'the handler file could not be loaded: it is not loaded after 0.3 s'),
    );
  });
});

test('a thread inside a system call is left behind, counted, and said to be so', async () => {
  let ended = (): void => undefined;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const runner = start(
    'stuck',
    `const { execSync } = await import('node:child_process');
     if (event.payload.n === 1) execSync('sleep 4');`,
    { limits: { ...limits, endMs: 200 }, onRoom: () => ended() },
  );
  expect(await run(runner, makeDelivery('stuck', { payload: { n: 1 } }))).toEqual(timedOut);
  expect(await run(runner, makeDelivery('stuck', { payload: { n: 2 } }))).toEqual(done);
  expect(runner.threads).toBe(2);
  await end;
  expect(runner.threads).toBe(1);
  expect(log.lines()).toContainEqual(expect.objectContaining({ level: 50, handler: 'stuck', threads: 2 }));
});

test('threads stay few, whatever the handler does', async () => {
  const runner = start('stray', 'if (event.payload.n > 0) { Promise.reject(1); } await forever();', {
    timeoutMs: 60_000,
  });
  const outcomes: Promise<RunOutcome>[] = [];
  const lease = Date.now() + leaseLength(60_000, limits);
  let most = 0;
  while (runner.hasRoom) {
    // One hangs in each thread, so that the thread stays when it is retired.
    outcomes.push(runner.run(makeDelivery('stray', { payload: { n: 0 } }), lease));
    await runner.run(makeDelivery('stray', { payload: { n: 1 } }), lease);
    most = Math.max(most, runner.threads);
  }
  expect(most).toBe(MAX_THREADS);
  await expect(runner.run(makeDelivery('stray'), lease)).resolves.toEqual({ kind: 'released' });
  await runner.end();
  expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => ({ kind: 'released' })));
});

test('an idle thread is ended, and the next delivery gets a new one', async () => {
  let ended = (): void => undefined;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const runner = start('idles', '', { limits: { ...limits, idleMs: 50 }, onRoom: () => ended() });
  expect(await run(runner, makeDelivery('idles'))).toEqual(done);
  await end;
  expect(runner.threads).toBe(0);
  expect(await run(runner, makeDelivery('idles'))).toEqual(done);
});
