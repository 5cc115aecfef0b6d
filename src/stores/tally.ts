import type { DeliveryState } from '../inbox/store.ts';

/**
 * Deliveries by state, added up while a transaction runs and written once at its end (by the store's own `writeTally`):
 * counting ten million rows at each scrape would stall the store, a trigger for each row would cost as much as the row.
 */
export class Tally {
  readonly #changes: Record<DeliveryState, number> = { pending: 0, running: 0, done: 0, dead: 0, discarded: 0 };
  #madePending = 0;

  /** Deliveries that became pending. */
  get madePending(): number {
    return this.#madePending;
  }

  /** What is not as it was. */
  get changes(): [state: string, change: number][] {
    return Object.entries(this.#changes).filter(([, change]) => change !== 0);
  }

  add(state: DeliveryState, n = 1): void {
    this.#changes[state] += n;
    if (state === 'pending' && n > 0) this.#madePending += n;
  }

  move(from: DeliveryState, to: DeliveryState, n = 1): void {
    this.add(from, -n);
    this.add(to, n);
  }
}
