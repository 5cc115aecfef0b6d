import { pause } from './pause.ts';

/**
 * Lets calls through one after another, so many a second at the most. Instantly allows 100 a second and 6,000 a minute for the
 * whole workspace, and everything else that uses it should notice nothing of us.
 */
export class Pacer {
  readonly #gapMs: number;
  readonly #now: () => number;
  #nextAt = 0;

  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#gapMs = 1_000 / perSecond;
    this.#now = now;
  }

  /** Resolves when it is this caller's turn; rejects with what the signal was aborted with. */
  async turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#now();
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#gapMs;
    if (at > now) await pause(at - now, signal);
  }
}
