import { runAlone } from './run-alone.ts';
import type { PruneCursor, PruneResult, Store } from './store.ts';

/** Rows of each kind in one step: a few milliseconds in which no commit can run. */
const STEP_ROWS = 500;
/** Milliseconds between two steps, for the commits that wait. */
const STEP_PAUSE_MS = 20;
const ROUND_MS = 10 * 60_000;
const FIRST_ROUND_MS = 30_000;
/** Milliseconds after which another process takes over from one that vanished while it pruned. */
const LEASE_MS = 60_000;

export interface RetentionOptions {
  readonly store: Pick<Store, 'prune' | 'holdLease' | 'releaseLease'>;
  /** Names this process. */
  readonly owner: string;
  readonly eventsMs: number;
  readonly auditMs: number;
  /** Of strangers' audit entries. */
  readonly anonymousMs: number;
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

  /** One whole round; resolves when nothing more is due, `stop` was called or the signal was aborted. */
  async round(now = Date.now(), signal = this.#stopped.signal): Promise<{ events: number; audits: number }> {
    const sum = { events: 0, audits: 0 };
    let cursor: PruneCursor | undefined;
    let step: PruneResult;
    do {
      step = await this.#options.store.prune({
        now,
        eventsBefore: now - this.#options.eventsMs,
        auditBefore: now - this.#options.auditMs,
        anonymousBefore: now - this.#options.anonymousMs,
        limit: STEP_ROWS,
        ...(cursor === undefined ? {} : { cursor }),
      });
      cursor = step.cursor;
      sum.events += step.events;
      sum.audits += step.audits;
      if (step.more) await pause(STEP_PAUSE_MS);
    } while (step.more && !signal.aborted);
    return sum;
  }

  /** In one of all processes with this store: they would only be in each other's way. */
  async #roundAlone(): Promise<void> {
    const { store, owner, onPruned } = this.#options;
    const alone = { store, name: 'prune', owner, leaseMs: LEASE_MS, signal: this.#stopped.signal };
    const round = await runAlone(alone, (signal) => this.round(Date.now(), signal));
    if (round.ran && round.result.events + round.result.audits > 0) onPruned(round.result);
  }

  #schedule(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#roundAlone()
        .catch(this.#options.onFailure)
        .finally(() => {
          if (!this.#stopped.signal.aborted) this.#schedule(ROUND_MS);
        });
    }, afterMs).unref();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
