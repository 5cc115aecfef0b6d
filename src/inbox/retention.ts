import type { PruneCursor, PruneResult, Store } from './store.ts';

/** Rows of each kind in one step: a few milliseconds in which no commit can run. */
const STEP_ROWS = 500;
/** Milliseconds between two steps, for the commits that wait. */
const STEP_PAUSE_MS = 20;
const ROUND_MS = 10 * 60_000;
const FIRST_ROUND_MS = 30_000;

export interface RetentionOptions {
  readonly store: Pick<Store, 'prune'>;
  readonly eventsMs: number;
  readonly auditMs: number;
  readonly onPruned: (sum: { readonly events: number; readonly audits: number }) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Removes what has outlived its time, a few rows at a time, every ten minutes. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#schedule(FIRST_ROUND_MS);
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  /** One whole round; resolves when nothing more is due or `stop` was called. */
  async round(now = Date.now()): Promise<{ events: number; audits: number }> {
    const sum = { events: 0, audits: 0 };
    let cursor: PruneCursor | undefined;
    let step: PruneResult;
    do {
      step = await this.#options.store.prune({
        now,
        eventsBefore: now - this.#options.eventsMs,
        auditBefore: now - this.#options.auditMs,
        limit: STEP_ROWS,
        ...(cursor === undefined ? {} : { cursor }),
      });
      cursor = step.cursor;
      sum.events += step.events;
      sum.audits += step.audits;
      if (step.more) await pause(STEP_PAUSE_MS);
    } while (step.more && !this.#stopped.signal.aborted);
    return sum;
  }

  #schedule(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.round()
        .then((sum) => {
          if (sum.events + sum.audits > 0) this.#options.onPruned(sum);
        }, this.#options.onFailure)
        .finally(() => {
          if (!this.#stopped.signal.aborted) this.#schedule(ROUND_MS);
        });
    }, afterMs).unref();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
