import type { ClaimedDelivery } from '../inbox/store.ts';
import type { HandlerWorker, WorkerListener } from './handler-worker.ts';
import { judgeLoss, type LostThread } from './judge-loss.ts';
import { longestRun } from './limits.ts';
import type { RunFailure, RunOutcome } from './run-outcome.ts';
import { ThreadPool, type ThreadPoolOptions } from './thread-pool.ts';
import type { FailureReport } from './thread-protocol.ts';
import { type Run, RunWatch } from './watch-runs.ts';

/** Threads in which one suspect each runs alone. */
const MAX_ALONE = 4;
/**
 * Threads of one handler in all. One takes new deliveries. One is retired when a run hangs in it, which is no sooner
 * than a time-out after it began, and all runs of the retired one are over a time-out later: two of these at the most.
 * What makes more of them (errors that nothing catches, system calls that do not return) gets no new one until some
 * have ended, and its deliveries wait in the store.
 */
export const MAX_THREADS = 4 + MAX_ALONE;

export interface RunnerOptions extends Omit<ThreadPoolOptions, 'maxThreads'> {
  readonly timeoutMs: number;
  /** Whether a thread without work may be ended; else it lives as long as the process. */
  readonly idle?: boolean;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** A delivery that found no thread may find one now. */
  readonly onRoom: () => void;
}

/** Runs the deliveries of one handler in threads of its own, ends what hangs, and tells how each attempt went. */
export class HandlerRunner {
  readonly #options: RunnerOptions;
  readonly #runs = new Map<number, Run>();
  readonly #threads: ThreadPool;
  readonly #watch: RunWatch;
  /** Those in which a suspect runs. */
  readonly #alone = new Set<HandlerWorker>();
  readonly #suspects: Run[] = [];
  /** The thread that takes new deliveries. */
  #shared: HandlerWorker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastRun = 0;
  #isStopping = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#threads = new ThreadPool({ ...options, maxThreads: MAX_THREADS }, this.#listener, (thread) => {
      this.#alone.delete(thread);
      this.#runSuspects();
      options.onRoom();
    });
    this.#watch = new RunWatch({
      ...options,
      runsIn: (thread) => this.#runsIn(thread),
      onHang: (run, thread) => {
        this.#conclude(run, failed('timed-out', this.#timedOut()));
        this.#retire(thread, 'a delivery hangs in it');
      },
      onHeld: (thread, culprit) => {
        const loss: LostThread = { failure: 'timed-out', error: this.#timedOut(), begun: thread.begun, culprit };
        this.#lose(thread, loss, 'it yields no more');
      },
      onLate: (run) => this.#conclude(run, { kind: 'released' }),
    });
  }

  /** Whether a delivery would find a thread. */
  get hasRoom(): boolean {
    return !this.#isStopping && (this.#shared !== undefined || !this.#threads.isFull);
  }

  /** Threads that are not known to have ended. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Never rejects, and resolves within the longest run there can be, a second one alone included. */
  run(delivery: ClaimedDelivery, leaseUntil: number): Promise<RunOutcome> {
    if (!this.hasRoom) return Promise.resolve({ kind: 'released' });
    this.#shared ??= this.#threads.start();
    const thread = this.#shared;
    this.#lastRun += 1;
    const id = this.#lastRun;
    return new Promise((resolve) => {
      const state = { timer: undefined, aborted: undefined, isOver: false };
      const run: Run = { id, delivery, leaseUntil, resolve, thread, ...state };
      this.#runs.set(id, run);
      this.#begin(run, thread);
    });
  }

  /** Aborts all signals. Whatever is not finished by then is released when it ends. */
  stop(): void {
    this.#isStopping = true;
    for (const run of this.#suspects.splice(0)) this.#conclude(run, { kind: 'released' });
    for (const run of this.#runs.values()) {
      if (run.aborted !== undefined) continue;
      run.aborted = 'stop';
      clearTimeout(run.timer);
      run.thread?.abort(run.id, 'stop');
    }
  }

  /** Releases what is left and ends all threads. Resolves when they have ended or outlasted their limit. */
  async end(): Promise<void> {
    this.stop();
    for (const run of this.#runs.values()) this.#conclude(run, { kind: 'released' });
    await this.#threads.endAll();
  }

  #begin(run: Run, thread: HandlerWorker): void {
    if (thread === this.#shared) clearTimeout(this.#idle);
    run.thread = thread;
    thread.start(run.id, run.delivery, this.#watch.beginBefore(run) - this.#options.clock());
    if (thread.isReady) this.#watch.posted(run, thread);
  }

  readonly #listener: WorkerListener = {
    ready: (thread) => {
      for (const run of this.#runsIn(thread)) if (run.aborted === undefined) this.#watch.posted(run, thread);
    },
    begun: (thread, id) => {
      const run = this.#runIn(thread, id);
      if (run !== undefined && run.aborted === undefined) this.#watch.begun(run, thread);
    },
    unloadable: (thread, failure) => this.#fail(thread, failure),
    settled: (thread, id, end) => {
      const run = this.#runIn(thread, id);
      if (run !== undefined) this.#conclude(run, this.#outcomeOf(run, end));
    },
    stray: (thread, id, failure) => {
      const run = this.#runIn(thread, id);
      if (run !== undefined) this.#conclude(run, this.#outcomeOf(run, { failure, aborted: run.aborted !== undefined }));
      this.#retire(thread, 'an error that nothing caught', failure.where);
    },
    ended: (thread, reason) => {
      const error = thread.exited === 0 ? reason : 'process.exit was called';
      const loss: LostThread = { failure: 'thread-ended', error, begun: thread.begun, culprit: thread.exited };
      if (thread.isReady) this.#lose(thread, loss, error);
      else this.#fail(thread, { text: error });
    },
  };

  #outcomeOf(run: Run, { failure, aborted }: { failure?: FailureReport; aborted: boolean }): RunOutcome {
    // A handler that obeys its signal ends early, with or without an error: either way its work is not done.
    if (aborted && run.aborted === 'stop') return { kind: 'released' };
    if (aborted) return { kind: 'failed', failure: 'timed-out', error: this.#timedOut() };
    if (failure === undefined) return { kind: 'done' };
    return failed('threw', failure.text, failure.where);
  }

  #timedOut(): string {
    return `timed out after ${this.#options.timeoutMs / 1_000} s`;
  }

  /** The thread's file cannot be used, and will not be for the next delivery either: all count, lest they loop. */
  #fail(thread: HandlerWorker, { text, where }: FailureReport): void {
    const error = `the handler file could not be loaded: ${text}`;
    for (const run of this.#runsIn(thread)) this.#conclude(run, failed('not-loaded', error, where));
    this.#retire(thread, 'the handler file could not be loaded', where);
  }

  #lose(thread: HandlerWorker, loss: LostThread, reason: string): void {
    const runs = this.#runsIn(thread);
    const verdicts = judgeLoss(
      runs.map(({ id }) => id),
      loss,
    );
    for (const run of runs) {
      const verdict = verdicts.get(run.id);
      if (verdict === 'guilty') this.#conclude(run, failed(loss.failure, loss.error));
      else if (verdict === 'innocent') this.#conclude(run, { kind: 'released' });
      else this.#suspect(run);
    }
    this.#retire(thread, reason);
    this.#runSuspects();
  }

  #suspect(run: Run): void {
    clearTimeout(run.timer);
    run.thread = undefined;
    this.#suspects.push(run);
  }

  /** Each in a thread of its own: whatever happens there has only one cause. */
  #runSuspects(): void {
    const { timeoutMs, limits, clock } = this.#options;
    while (this.#alone.size < MAX_ALONE && !this.#threads.isFull) {
      const run = this.#suspects.shift();
      if (run === undefined) return;
      if (this.#isStopping || clock() + longestRun(timeoutMs, limits) > run.leaseUntil) {
        this.#conclude(run, { kind: 'released' });
        continue;
      }
      run.aborted = undefined;
      run.isOver = false;
      const thread = this.#threads.start();
      this.#alone.add(thread);
      this.#begin(run, thread);
    }
  }

  #conclude(run: Run, outcome: RunOutcome): void {
    if (!this.#runs.delete(run.id)) return;
    clearTimeout(run.timer);
    run.resolve(outcome);
    const { thread } = run;
    if (thread === undefined || this.#runsIn(thread).length > 0) return;
    if (thread !== this.#shared) void this.#threads.end(thread);
    else if (this.#options.idle === true)
      this.#idle = setTimeout(() => this.#retire(thread), this.#options.limits.idleMs).unref();
  }

  /** It gets no new deliveries, and is ended when those it has are over. Without a reason: it is only idle. */
  #retire(thread: HandlerWorker, reason?: string, where?: string): void {
    const isNews = this.#shared === thread || this.#alone.has(thread);
    if (this.#shared === thread) {
      this.#shared = undefined;
      clearTimeout(this.#idle);
    }
    const { handler, logger } = this.#options;
    if (isNews && reason !== undefined && !this.#isStopping) {
      logger.warn({ handler, reason, where }, 'a thread of a handler is replaced');
    }
    if (this.#runsIn(thread).length === 0) void this.#threads.end(thread);
  }

  /** A last word from a thread that was given up does not count: the run may be under way in another one. */
  #runIn(thread: HandlerWorker, id: number): Run | undefined {
    const run = this.#runs.get(id);
    return run?.thread === thread ? run : undefined;
  }

  #runsIn(thread: HandlerWorker): Run[] {
    return [...this.#runs.values()].filter((run) => run.thread === thread);
  }
}

function failed(failure: RunFailure, error: string, where?: string): RunOutcome {
  return { kind: 'failed', failure, error, ...(where === undefined ? {} : { where }) };
}
