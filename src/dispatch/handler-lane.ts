/** Milliseconds over which a handler's pace is measured, and for which deliveries are claimed ahead by it. */
const PACE_MS = 100;
/** Deliveries that wait here for a place at the most, and the bytes of their bodies. */
const MAX_AHEAD = 256;
const MAX_AHEAD_BYTES = 8 * 1024 * 1024;
/** Milliseconds after which one that waits goes back to the store: the handler has become slow, and another process may be free. */
const MAX_WAIT_MS = 2_000;

export interface LaneOptions {
  /** Deliveries that run at once. */
  readonly concurrency: number;
  /** Milliseconds that only go on. */
  readonly now?: () => number;
}

interface Waiting {
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (mayRun: boolean) => void;
}

/**
 * The places of one handler. Where it is quick, some more deliveries than have a place are claimed and wait here, as many as it
 * has run within a tenth of a second: else each round would have to wait for the disk twice for no more than those few.
 */
export class HandlerLane {
  readonly #options: LaneOptions;
  readonly #now: () => number;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running = 0;
  #windowStart: number;
  #finished = 0;
  #finishedBefore = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#windowStart = this.#now();
  }

  /** How many more to claim. */
  get wanted(): number {
    if (this.#isStopped || this.#waitingBytes >= MAX_AHEAD_BYTES) return 0;
    this.#turnWindow();
    const ahead = Math.min(MAX_AHEAD, Math.max(this.#finished, this.#finishedBefore));
    return Math.max(0, this.#options.concurrency + ahead - this.#running - this.#waiting.length);
  }

  /** Resolves with whether the delivery may run now; if so, `leave` is to be called when it is over. */
  enter(bytes: number): Promise<boolean> {
    if (this.#isStopped) return Promise.resolve(false);
    if (this.#running < this.#options.concurrency) {
      this.#running += 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      this.#waiting.push({ bytes, since: this.#now(), resolve });
      this.#waitingBytes += bytes;
      this.#watch();
    });
  }

  leave(): void {
    this.#turnWindow();
    this.#finished += 1;
    const next = this.#takeFirst();
    if (next === undefined) this.#running -= 1;
    else next.resolve(true);
  }

  /** Those that wait do not run any more, and nothing more is wanted. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (let next = this.#takeFirst(); next !== undefined; next = this.#takeFirst()) next.resolve(false);
  }

  #takeFirst(): Waiting | undefined {
    const first = this.#waiting.shift();
    this.#waitingBytes -= first?.bytes ?? 0;
    return first;
  }

  #watch(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const oldest = this.#now() - MAX_WAIT_MS;
        for (let [next] = this.#waiting; next !== undefined && next.since <= oldest; [next] = this.#waiting) {
          this.#takeFirst()?.resolve(false);
        }
        this.#watch();
      },
      Math.max(1, first.since + MAX_WAIT_MS - this.#now()),
    ).unref();
  }

  #turnWindow(): void {
    const passed = this.#now() - this.#windowStart;
    if (passed < PACE_MS) return;
    this.#finishedBefore = passed < 2 * PACE_MS ? this.#finished : 0;
    this.#finished = 0;
    this.#windowStart += passed;
  }
}
