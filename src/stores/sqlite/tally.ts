import type { DeliveryState } from '../../inbox/store.ts';
import type { Connection } from './connection.ts';

/**
 * Deliveries by state, added up while a transaction runs and written once at its end: counting ten million rows at each
 * scrape would stall the writer, a trigger for each row would cost as much as the row.
 */
export class Tally {
  readonly #changes: Record<DeliveryState, number> = { pending: 0, running: 0, done: 0, dead: 0 };
  #madePending = 0;

  /** Deliveries that became pending. */
  get madePending(): number {
    return this.#madePending;
  }

  add(state: DeliveryState, n = 1): void {
    this.#changes[state] += n;
    if (state === 'pending' && n > 0) this.#madePending += n;
  }

  move(from: DeliveryState, to: DeliveryState): void {
    this.add(from, -1);
    this.add(to);
  }

  write(connection: Connection): void {
    for (const [state, change] of Object.entries(this.#changes)) {
      if (change !== 0) connection.run('UPDATE delivery_counts SET n = n + ? WHERE state = ?', change, state);
    }
  }
}
