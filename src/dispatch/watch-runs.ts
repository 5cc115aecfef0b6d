import type { ClaimedDelivery } from '../inbox/store.ts';
import type { HandlerWorker } from './handler-worker.ts';
import type { RunLimits } from './limits.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { AbortCause } from './thread-protocol.ts';

/** One attempt of one delivery, while it is under way. */
export interface Run {
  /** Grows from run to run of a handler. */
  readonly id: number;
  readonly delivery: ClaimedDelivery;
  /** Epoch milliseconds. */
  readonly leaseUntil: number;
  readonly resolve: (outcome: RunOutcome) => void;
  /** `undefined` while it waits to be run alone. */
  thread: HandlerWorker | undefined;
  timer: NodeJS.Timeout | undefined;
  aborted: AbortCause | undefined;
  /** Its time-out and its grace are over. */
  isOver: boolean;
}

export interface RunWatchOptions {
  readonly timeoutMs: number;
  readonly limits: RunLimits;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly runsIn: (thread: HandlerWorker) => readonly Run[];
  /** It did not end in its grace, in a thread that works on. */
  readonly onHang: (run: Run, thread: HandlerWorker) => void;
  /** The thread yields no more, and whoever holds it is past its time. `culprit`: the run that holds it; 0: unknown. */
  readonly onHeld: (thread: HandlerWorker, culprit: number) => void;
  /** The thread did not get to it, and its lease leaves no time for it now. */
  readonly onLate: (run: Run) => void;
}

/**
 * Keeps the time of runs. A run's time-out counts from the moment its handler is called: until then it waits for the
 * synchronous work of others in its thread, who have their own. Nobody is judged before their own time is over, so a
 * thread that yields no more is given up only when whoever may hold it is past it.
 */
export class RunWatch {
  readonly #options: RunWatchOptions;

  constructor(options: RunWatchOptions) {
    this.#options = options;
  }

  /** The last moment, in epoch milliseconds, at which a run can begin and end under its lease. */
  beginBefore(run: Run): number {
    const { timeoutMs, limits } = this.#options;
    return run.leaseUntil - timeoutMs - limits.graceMs - limits.endMs;
  }

  /** The run is in the queue of a thread that is ready. */
  posted(run: Run, thread: HandlerWorker): void {
    const { timeoutMs, clock } = this.#options;
    const waitMs = Math.min(timeoutMs, Math.max(0, this.beginBefore(run) - clock()));
    this.#arm(run, waitMs, () => this.#notBegun(run, thread));
  }

  /** Its handler is about to be called. */
  begun(run: Run, thread: HandlerWorker): void {
    this.#arm(run, this.#options.timeoutMs, () => {
      run.aborted = 'timeout';
      thread.abort(run.id, 'timeout');
      this.#look(run, thread);
    });
  }

  #look(run: Run, thread: HandlerWorker): void {
    const { limits, runsIn, onHang, onHeld } = this.#options;
    const onStack = thread.onStack;
    const hasYielded = thread.ping();
    this.#arm(run, limits.graceMs, () => {
      run.isOver = true;
      if (hasYielded()) {
        onHang(run, thread);
        return;
      }
      // On the stack at both ends of the grace: it has held the thread all along.
      const holder = onStack === thread.onStack ? onStack : 0;
      const suspects = runsIn(thread).filter(({ id }) => (holder === 0 ? id <= thread.begun : id === holder));
      if (suspects.every(({ isOver }) => isOver)) onHeld(thread, holder);
      else this.#look(run, thread);
    });
  }

  #notBegun(run: Run, thread: HandlerWorker): void {
    // The word that it has begun is on its way.
    if (thread.begun >= run.id) return;
    const { limits, clock, runsIn, onHeld, onLate } = this.#options;
    if (clock() >= this.beginBefore(run)) onLate(run);
    else if (runsIn(thread).some(({ id }) => id <= thread.begun)) this.posted(run, thread);
    else {
      // Nobody whose time could end this holds the thread: something that an earlier delivery has left behind does.
      const hasYielded = thread.ping();
      this.#arm(run, limits.graceMs, () => {
        if (hasYielded()) this.posted(run, thread);
        else if (thread.begun < run.id) onHeld(thread, 0);
      });
    }
  }

  #arm(run: Run, milliseconds: number, act: () => void): void {
    clearTimeout(run.timer);
    run.timer = setTimeout(act, milliseconds);
  }
}
