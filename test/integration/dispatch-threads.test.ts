import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { MAX_THREADS } from '../../src/dispatch/handler-runner.ts';
import { leaseLength } from '../../src/dispatch/limits.ts';
import { loadHandlers } from '../../src/dispatch/load-handlers.ts';
import type { RunOutcome } from '../../src/dispatch/run-outcome.ts';
import { done, failed, folder, limits, log, run, runAll, start, timedOut } from '../unit/dispatch-runner-support.ts';
import { makeDelivery } from '../unit/dispatch-support.ts';

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

test('an idle thread is ended where its handler allows it, and the next delivery gets a new one', async () => {
  let ended = (): void => undefined;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const runner = start('idles', '', { idle: true, limits: { ...limits, idleMs: 50 }, onRoom: () => ended() });
  expect(await run(runner, makeDelivery('idles'))).toEqual(done);
  await end;
  expect(runner.threads).toBe(0);
  expect(await run(runner, makeDelivery('idles'))).toEqual(done);
});

test('an idle thread keeps what its module keeps: a timer of it runs after the idle time', async () => {
  const source = `let batch = [];
    const flush = () => { say('sent ' + batch.length); batch = []; };
    export default { name: 'gathers', events: ['*'], handle() { batch.push(1); if (batch.length === 2) setTimeout(flush, 400); } };`;
  const runner = start('gathers', '', {
    file: folder.write('batch.mjs', source),
    limits: { ...limits, idleMs: 20 },
  });
  expect(await runAll(runner, 'gathers', [1, 2])).toEqual([done, done]);
  await folder.until('sent 2');
  expect(runner.threads).toBe(1);
});

describe('a thread that replaces another runs the code that was checked', () => {
  const put = (name: string, source: string): void => writeFileSync(join(folder.dir, name), source);
  const edits: [string, (file: string) => void][] = [
    ['changed', (file) => put(file, 'export const word = "edited"; export default { name: "other" };')],
    ['half-written', (file) => put(file, 'export const word = {')],
    ['deleted', (file) => rmSync(join(folder.dir, file))],
  ];
  const helpers: [string, string][] = [
    ['lib/static.ts', "export const word: string = 'checked';"],
    ['lib/lazy.ts', "export const word: string = 'checked';"],
    ['lib/common.cjs', "exports.word = require('./deep.cjs').word;"],
    ['lib/deep.cjs', "exports.word = 'checked';"],
    ['lib/words.json', '{"word":"checked"}'],
  ];
  const handler = `import { createRequire } from 'node:module';
    import { word } from './lib/static.ts';
    import words from './lib/words.json' with { type: 'json' };
    import { defineHandler } from 'instantly-webhook-receiver';
    const common = createRequire(import.meta.url)('./lib/common.cjs');
    export default defineHandler({ name: 'keeps', events: ['*'], async handle(event) {
      if (event.payload['n'] === 1) process.exit(0);
      const lazy = await import('./lib/lazy.ts');
      throw new Error([word, lazy.word, common.word, words.word].join(' '));
    } });`;

  test.each(edits)('where each file was %s', async (_, edit) => {
    mkdirSync(join(folder.dir, 'lib'));
    for (const [file, source] of helpers) put(file, source);
    put('keeps.ts', handler);
    const [loaded] = (await loadHandlers(folder.dir, { logFd: log.fd })).handlers;
    if (loaded === undefined) throw new Error('nothing was loaded');
    const { file, modules } = loaded;
    const runner = start('unused', '', { handler: 'keeps', file, modules });
    for (const name of ['keeps.ts', ...helpers.map(([helper]) => helper)]) edit(name);
    expect(await runAll(runner, 'keeps', [1])).toEqual([failed('thread-ended', 'process.exit was called')]);
    expect(await runAll(runner, 'keeps', [2])).toEqual([failed('threw', 'Error: checked checked checked checked')]);
  });
});
