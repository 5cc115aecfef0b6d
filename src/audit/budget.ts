import { isOfStranger } from './chain-memory.ts';
import { countedOf, TripleCounts } from './count-triples.ts';
import type { AuditDraft } from './entry.ts';
import { draft } from './make-draft.ts';

const MINUTE_MS = 60_000;

export interface BudgetOptions {
  /** Anonymous entries written singly in any one minute: AUDIT_ANONYMOUS_PER_MINUTE. */
  readonly perMinute: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/**
 * Lets anonymous requests fill neither the log nor the disk, and yet leaves none unaudited: past the budget they are
 * counted, exactly, by (action, status, reason). At any time the entries let through plus the counts flushed plus
 * those still held are as many as were offered.
 */
export class AnonymousBudget {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #counts = new TripleCounts();
  #minuteSince = Number.NEGATIVE_INFINITY;
  #written = 0;
  #countingSince = 0;
  #countOnly = false;

  constructor({ perMinute, now }: BudgetOptions) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** `write`: the caller writes this entry. `counted`: it is held here as a count, and must not be written. Only
   * anonymous entries are ever counted. */
  offer(offered: AuditDraft): 'write' | 'counted' {
    if (!isOfStranger(offered)) return 'write';
    const now = this.#now();
    if (isOver(this.#minuteSince, now)) {
      this.#minuteSince = now;
      this.#written = 0;
    }
    if (!this.#countOnly && this.#written < this.#perMinute) {
      this.#written += 1;
      return 'write';
    }
    if (this.#counts.size === 0) this.#countingSince = now;
    this.#counts.add(countedOf(offered));
    return 'counted';
  }

  /** While on, no anonymous entry is let through: the disk is nearly full. */
  setCountOnly(on: boolean): void {
    this.#countOnly = on;
  }

  /** One entry for each triple counted, once a minute has passed since the first of them; to be called every few
   * seconds. What it hands out is no longer held here. */
  flush(now: number): AuditDraft[] {
    return isOver(this.#countingSince, now) ? this.drain(now) : [];
  }

  /** The same at once: the service is stopping. */
  drain(now: number): AuditDraft[] {
    return this.#counts.take().map(({ action, resource, result, count, status, reason, from, to }) =>
      draft({
        action,
        userId: 'anonymous',
        resource,
        result,
        metadata: { aggregated: true, count, status, reason, from, to },
        at: now,
      }),
    );
  }
}

/** A clock that was set back ends the minute too, or it might last for hours. */
function isOver(since: number, now: number): boolean {
  return now < since || now - since >= MINUTE_MS;
}
