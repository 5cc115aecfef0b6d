import { timeOf } from './logged-attempt.ts';
import type { WebhookEvent } from './schemas.ts';

/** Milliseconds by which attempts that were made side by side may stand in another order than their times. */
const SLACK_MS = 60_000;

/** Whether a log tells the newest first, as far as it has been read: nobody has promised it. */
export class LogOrder {
  #oldest = Number.POSITIVE_INFINITY;
  #newest = Number.NEGATIVE_INFINITY;
  #isBroken = false;

  take(items: readonly WebhookEvent[]): void {
    for (const item of items) {
      const at = timeOf(item);
      if (at === undefined || at > this.#oldest + SLACK_MS) this.#isBroken = true;
      this.#oldest = Math.min(this.#oldest, at ?? this.#oldest);
      this.#newest = Math.max(this.#newest, at ?? this.#newest);
    }
  }

  /** Whether everything that follows this page is older than `from`, epoch milliseconds. */
  isPast(page: readonly WebhookEvent[], from: number): boolean {
    // Entries of one and the same time tell no order.
    if (this.#isBroken || this.#newest - this.#oldest <= SLACK_MS || page.length === 0) return false;
    return page.every((item) => (timeOf(item) ?? Number.POSITIVE_INFINITY) < from - SLACK_MS);
  }
}
