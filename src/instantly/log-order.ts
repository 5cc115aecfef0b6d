import { timeOf } from './logged-attempt.ts';
import type { WebhookEvent } from './schemas.ts';

/** Milliseconds by which attempts that were made side by side may stand in another order than their times. */
const SLACK_MS = 60_000;
/** Entries, each older than all before it, that are no chance any more: one order in three million has so many. */
const TELLING = 10;

/** Whether a log tells the newest first, as far as it has been read: nobody has promised it. */
export class LogOrder {
  #oldest = Number.POSITIVE_INFINITY;
  #descents = 0;
  #isBroken = false;

  take(items: readonly WebhookEvent[]): void {
    for (const item of items) {
      const at = timeOf(item);
      if (at === undefined || at > this.#oldest + SLACK_MS) this.#isBroken = true;
      if (at === undefined || at >= this.#oldest) continue;
      this.#oldest = at;
      this.#descents += 1;
    }
  }

  /** Whether everything that follows this page is older than `from`, epoch milliseconds. */
  isPast(page: readonly WebhookEvent[], from: number): boolean {
    if (this.#isBroken || this.#descents < TELLING || page.length === 0) return false;
    return page.every((item) => (timeOf(item) ?? Number.POSITIVE_INFINITY) < from - SLACK_MS);
  }
}
