import { afterEach, beforeEach, expect } from '@jest/globals';
import { HandlerRunner, type RunnerOptions } from '../../src/dispatch/handler-runner.ts';
import { noModules } from '../../src/dispatch/kept-modules.ts';
import { leaseLength, RUN_LIMITS } from '../../src/dispatch/limits.ts';
import type { RunOutcome } from '../../src/dispatch/run-outcome.ts';
import type { ClaimedDelivery } from '../../src/inbox/store.ts';
import { HandlerFolder, makeDelivery, TestLog } from './dispatch-support.ts';

// Runners of handlers in real threads, whose time is short.

export const limits = { ...RUN_LIMITS, graceMs: 700 };
export const timeoutMs = 700;

export let folder: HandlerFolder;
export let log: TestLog;
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

/** `body` is that of the handler's `handle`. */
export function start(handler: string, body: string, more: Partial<RunnerOptions> = {}): HandlerRunner {
  const runner = new HandlerRunner({
    handler,
    file: folder.writeHandle(handler, body),
    modules: noModules(),
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

export const run = (runner: HandlerRunner, delivery: ClaimedDelivery): Promise<RunOutcome> =>
  runner.run(delivery, Date.now() + leaseLength(timeoutMs, limits));

/** By the number in their payload. */
export function runAll(runner: HandlerRunner, handler: string, numbers: readonly number[]): Promise<RunOutcome[]> {
  return Promise.all(numbers.map((n) => run(runner, makeDelivery(handler, { payload: { n } }))));
}

export const failed = (failure: string, error: unknown = expect.any(String)) =>
  expect.objectContaining({ kind: 'failed', failure, error });
export const done = { kind: 'done' };
export const timedOut = failed('timed-out', 'timed out after 0.7 s');
