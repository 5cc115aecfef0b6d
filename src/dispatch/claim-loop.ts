import type { ClaimedDelivery, ClaimRequest, Store } from '../inbox/store.ts';
import { storeBackoff } from './limits.ts';

/** Looked at least this often, so that a clock that was set stalls nothing. */
const MAX_SLEEP_MS = 30_000;
/** After a claim that gave nothing though something was due; a store that keeps its contract never does that. */
const EMPTY_SLEEP_MS = 1_000;

export interface ClaimLoopOptions {
  readonly store: Pick<Store, 'claim'>;
  /** Free places now; handlers without one are left out. */
  readonly places: () => ClaimRequest['places'];
  readonly newLease: () => string;
  readonly leaseMs: number;
  readonly clock: () => number;
  readonly take: (delivery: ClaimedDelivery, leaseUntil: number) => void;
  /** `failures` in a row; 0: the store answers again. */
  readonly onFailures: (failures: number, error?: unknown) => void;
}

/** Claims what is due when woken and when the next time falls due: one claim at a time, however many wake it. */
export class ClaimLoop {
  readonly #options: ClaimLoopOptions;
  #claiming: Promise<void> | undefined;
  #isWoken = false;
  #isStopped = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#isWoken = true;
    // While the store is away its timer wakes the loop: more calls would not bring it back.
    if (this.#failures === 0) this.#start();
  }

  /** Resolves when no claim is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#claiming;
  }

  #start(): void {
    if (this.#isStopped || this.#claiming !== undefined) return;
    this.#claiming = this.#claimAll();
  }

  async #claimAll(): Promise<void> {
    try {
      let sleepMs: number;
      do {
        this.#isWoken = false;
        sleepMs = await this.#claim();
        if (this.#failures > 0) this.#options.onFailures(0);
        this.#failures = 0;
      } while ((sleepMs <= 0 || this.#isWoken) && !this.#isStopped);
      this.#sleep(sleepMs);
    } catch (error) {
      this.#failures += 1;
      this.#options.onFailures(this.#failures, error);
      this.#sleep(storeBackoff(this.#failures));
    }
    this.#claiming = undefined;
  }

  /** Gives the milliseconds until the next claim makes sense. */
  async #claim(): Promise<number> {
    const { store, places, newLease, leaseMs, clock, take } = this.#options;
    const free = places();
    if (free.length === 0) return MAX_SLEEP_MS;
    const now = clock();
    const leaseUntil = now + leaseMs;
    const { deliveries, nextDueAt } = await store.claim({ now, places: free, lease: newLease(), leaseUntil });
    for (const delivery of deliveries) take(delivery, leaseUntil);
    if (nextDueAt === null) return MAX_SLEEP_MS;
    // What a limit cut off may belong to a handler that is full now, and hide the next time of one that is not: the next
    // claim asks for those alone that still have a place.
    if (nextDueAt <= now) return deliveries.length > 0 ? 0 : EMPTY_SLEEP_MS;
    return Math.min(nextDueAt - clock(), MAX_SLEEP_MS);
  }

  #sleep(milliseconds: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), milliseconds);
  }
}
