import { pause } from './pause.ts';

/** What a pacer tells the time by, and waits with. */
export interface PacerClock {
  readonly now: () => number;
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const MONOTONIC: PacerClock = { now: () => performance.now(), pause };

/**
 * Lets calls through one after another, so many a second at the most. Instantly allows 100 a second and 6,000 a minute for the
 * whole workspace, and everything else that uses it should notice nothing of us.
 */
export class Pacer {
  readonly #gapMs: number;
  readonly #clock: PacerClock;
  #nextAt = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(perSecond: number, clock = MONOTONIC) {
    this.#gapMs = 1_000 / perSecond;
    this.#clock = clock;
  }

  /** Resolves when it is this caller's turn; rejects with what the signal was aborted with. */
  async turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const ended = Promise.withResolvers<never>();
    const end = (): void => ended.reject(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    const mine = this.#last.then(() => this.#gap(signal));
    // Whoever was told to end waits no longer, and takes no turn from those behind.
    this.#last = mine.catch(() => undefined);
    try {
      await Promise.race([mine, ended.promise]);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** Counts from when the last one really had its turn: a process that was held up has no turns to make up for. */
  async #gap(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const at = this.#nextAt;
    const waitMs = at - this.#clock.now();
    if (waitMs > 0) await this.#clock.pause(waitMs, signal);
    // A timer may be two milliseconds early, which must not add up.
    this.#nextAt = Math.max(this.#clock.now(), at) + this.#gapMs;
  }
}
