const WINDOW_MS = 1_000;

/** How many calls the whole workspace may make in any second. */
export class RateLimit {
  readonly #now: () => number;
  /** Epoch milliseconds of the calls of the last second that were let through. */
  #times: number[] = [];
  #perSecond: number | undefined;

  constructor(now: () => number, perSecond: number | undefined) {
    this.#now = now;
    this.#perSecond = perSecond;
  }

  /** @param perSecond `undefined` for no limit */
  set(perSecond: number | undefined): void {
    this.#perSecond = perSecond;
    this.#times = [];
  }

  /** Whether one more call is within the limit; it is counted where it is. */
  admit(): boolean {
    if (this.#perSecond === undefined) return true;
    const now = this.#now();
    this.#times = this.#times.filter((time) => time > now - WINDOW_MS);
    if (this.#times.length >= this.#perSecond) return false;
    this.#times.push(now);
    return true;
  }
}
