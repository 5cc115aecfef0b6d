import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HandlerRunner } from '../../src/dispatch/handler-runner.ts';
import { noModules } from '../../src/dispatch/kept-modules.ts';
import { RUN_LIMITS } from '../../src/dispatch/limits.ts';
import type { ThreadSettings } from '../../src/dispatch/thread-protocol.ts';
import { HandlerFolder, makeDelivery, TestLog } from '../unit/dispatch-support.ts';

let folder: HandlerFolder;
let log: TestLog;
/** What reached the main thread: its event loop is what answers. */
let messages: unknown[];
let workers: Worker[];

const onWorker = (message: unknown): void => {
  const { worker } = message as { worker: Worker };
  workers.push(worker);
  worker.on('message', (said) => messages.push(said));
};

beforeEach(() => {
  folder = new HandlerFolder();
  log = new TestLog();
  messages = [];
  workers = [];
  subscribe('worker_threads', onWorker);
});

afterEach(() => {
  unsubscribe('worker_threads', onWorker);
  folder.remove();
  log.remove();
});

async function runOnce(body: string, level: ThreadSettings['logLevel'] = 'info') {
  const runner = new HandlerRunner({
    handler: 'logs',
    file: folder.writeHandle('logs', body),
    modules: noModules(),
    env: process.env,
    logLevel: level,
    logFd: log.fd,
    logger: log.logger,
    limits: RUN_LIMITS,
    timeoutMs: 20_000,
    clock: Date.now,
    onRoom: () => undefined,
  });
  const delivery = makeDelivery('logs', { attempt: 2 });
  const outcome = await runner.run(delivery, Date.now() + 600_000);
  const unread = workers.map(({ stdout, stderr }) => stdout.readableLength + stderr.readableLength);
  await runner.end();
  expect(outcome).toEqual({ kind: 'done' });
  expect(unread).toEqual([0]);
  return delivery;
}

test('whatever a handler prints is a line of the log, with its delivery', async () => {
  const { eventId, deliveryId } = await runOnce(`
    context.logger.info({ deal: 7 }, 'won');
    context.logger.error('plain');
    context.logger.debug('too fine');
    console.log('two', { lines: 2 }, '\\n', 'in one');
    console.error('bad');
    process.stdout.write('raw');
    process.emitWarning('careful');
    await new Promise(setImmediate);
    await null;
    console.info('after an await');
  `);
  const bound = { handler: 'logs', eventId, deliveryId, attempt: 2 };
  const lines = log.lines();
  for (const line of lines) expect(line).toMatchObject({ time: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect(lines).toEqual([
    expect.objectContaining({ ...bound, level: 30, deal: 7, msg: 'won' }),
    expect.objectContaining({ ...bound, level: 50, msg: 'plain' }),
    expect.objectContaining({ ...bound, level: 30, stream: 'stdout', msg: 'two { lines: 2 } \n in one' }),
    expect.objectContaining({ ...bound, level: 40, stream: 'stderr', msg: 'bad' }),
    expect.objectContaining({ ...bound, level: 30, stream: 'stdout', msg: 'raw' }),
    expect.objectContaining({ handler: 'logs', level: 40, warning: 'Warning', msg: 'careful' }),
    expect.objectContaining({ ...bound, level: 30, stream: 'stdout', msg: 'after an await' }),
  ]);
});

test('a flood of lines reaches neither the main thread nor the disk', async () => {
  await runOnce(`
    for (let i = 0; i < 20_000; i += 1) { context.logger.info('flood'); console.log('flood'); process.stderr.write('flood'); }
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    context.logger.info('last');
  `);
  // Our own words have a channel that no code of a handler finds.
  expect(messages).toEqual([]);
  const lines = log.lines();
  const flood = lines.filter(({ msg }) => msg === 'flood').length;
  const dropped = lines.reduce((sum, { count }) => sum + Number(count ?? 0), 0);
  expect(flood).toBeGreaterThan(0);
  expect(flood + dropped).toBe(60_000);
  // 200 a second: a slow machine may take some seconds over the loop.
  expect(flood).toBeLessThan(200 * 20);
  expect(lines.at(-1)).toMatchObject({ msg: 'last' });
});

test('a long line is cut to what goes through a pipe in one piece', async () => {
  const { eventId } = await runOnce(`
    context.logger.info({ text: '\\u0001é😀'.repeat(50_000) }, 'long');
    console.log('x'.repeat(100_000));
    context.logger.info('short');
  `);
  for (const line of log.text().split('\n')) expect(Buffer.byteLength(line)).toBeLessThan(4_096);
  const lines = log.lines();
  expect(lines).toEqual([
    expect.objectContaining({
      handler: 'logs',
      eventId,
      msg: 'a log line was cut',
      start: expect.stringMatching(/long|text/),
    }),
    expect.objectContaining({ eventId, msg: 'a log line was cut', bytes: expect.any(Number) }),
    expect.objectContaining({ msg: 'short' }),
  ]);
});

test('what cannot be told as JSON does not fail the delivery', async () => {
  await runOnce(`
    const deep = []; let at = deep; for (let i = 0; i < 100_000; i += 1) { at[0] = []; at = at[0]; }
    context.logger.info({ deep }, 'deep');
    const circle = {}; circle.self = circle;
    context.logger.info(circle, 'circle');
    context.logger.info({ n: 1n }, 'big');
  `);
  expect(log.lines()).toHaveLength(3);
});

test.each([
  ['warn' as const, ['bad', 'worse']],
  ['silent' as const, []],
])('at LOG_LEVEL %s', async (level, messages) => {
  await runOnce("console.log('good'); console.error('bad'); context.logger.error('worse');", level);
  expect(log.lines().map(({ msg }) => msg)).toEqual(messages);
});
