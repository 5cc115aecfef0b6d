interface Due {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly run: () => Promise<unknown>;
}

const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * The service's time and what it has put off. By itself it runs with the system's clock; with a clock of somebody else
 * nothing runs until `advance`.
 */
export class Clock {
  readonly #base: () => number;
  readonly #self: boolean;
  /** Sorted by time; of equal times the one put off first comes first. */
  readonly #due: Due[] = [];
  #offset = 0;
  #timer: NodeJS.Timeout | undefined;
  #advancing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(base?: () => number) {
    this.#base = base ?? Date.now;
    this.#self = base === undefined;
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#base() + this.#offset;
  }

  isoNow(): string {
    return new Date(this.now()).toISOString();
  }

  get waiting(): number {
    return this.#due.length;
  }

  /** @returns what takes it back */
  schedule(at: number, run: () => Promise<unknown>): () => void {
    const due: Due = { at, run };
    this.#due.splice(this.#placeOf(at), 0, due);
    this.#wind();
    return () => {
      const index = this.#due.indexOf(due);
      if (index !== -1) this.#due.splice(index, 1);
    };
  }

  /**
   * Moves time on and runs what falls due on the way, one after the other at its own time, that which is put off
   * meanwhile too. Resolves when all of it is done.
   *
   * @param milliseconds 0 runs what is due already
   */
  advance(milliseconds: number): Promise<void> {
    const next = this.#advancing.then(() => this.#advance(milliseconds));
    this.#advancing = next.catch(() => undefined);
    return next;
  }

  close(): void {
    this.#closed = true;
    this.#due.length = 0;
    clearTimeout(this.#timer);
  }

  async #advance(milliseconds: number): Promise<void> {
    const end = this.#offset + milliseconds;
    for (;;) {
      const first = this.#due[0];
      if (first === undefined || first.at > this.#base() + end) break;
      this.#due.shift();
      this.#offset = Math.min(end, this.#offset + Math.max(0, first.at - this.now()));
      await first.run();
    }
    this.#offset = end;
    this.#wind();
  }

  #placeOf(at: number): number {
    let [low, high] = [0, this.#due.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const due = this.#due[middle];
      if (due !== undefined && due.at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #wind(): void {
    const first = this.#due[0];
    if (!this.#self || this.#closed) return;
    clearTimeout(this.#timer);
    if (first === undefined) return;
    const wait = Math.min(Math.max(0, first.at - this.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#runDue(), wait);
    this.#timer.unref();
  }

  /** All at once, as a service would: one that hangs must not hold up the others. */
  #runDue(): void {
    while (this.#due[0] !== undefined && this.#due[0].at <= this.now()) {
      this.#due
        .shift()
        ?.run()
        .catch(() => undefined);
    }
    this.#wind();
  }
}
