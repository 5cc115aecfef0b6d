export interface RetryRule {
  /** Attempts in all, the first one counted; a delivery that failed this often is dead. */
  readonly maxAttempts: number;
  /** Ceiling of the delay after the first failure, milliseconds; it doubles with each further one. */
  readonly backoffBaseMs: number;
  /** No delay is longer, milliseconds. */
  readonly backoffCapMs: number;
}

export type AfterFailure =
  | { readonly state: 'dead' }
  /** `delayMs`: whole milliseconds until the next attempt. */
  | { readonly state: 'pending'; readonly delayMs: number };

/**
 * What becomes of a delivery whose attempt number `attempt` (from 1) has failed.
 *
 * Full jitter, that is anything between nothing and the ceiling, because what fails together (a CRM that is away) must
 * not come back together. `random` gives a number from 0 up to but not including 1.
 */
export function afterFailure(attempt: number, rule: RetryRule, random: () => number = Math.random): AfterFailure {
  if (attempt >= rule.maxAttempts) return { state: 'dead' };
  return { state: 'pending', delayMs: Math.floor(random() * (backoffCeiling(attempt, rule) + 1)) };
}

/** The longest delay, in milliseconds, that may follow the failure of attempt number `attempt`. */
export function backoffCeiling(attempt: number, rule: Pick<RetryRule, 'backoffBaseMs' | 'backoffCapMs'>): number {
  // 2 ** 1024 is Infinity, which the cap turns back into a delay; a base of 0 would make it NaN.
  const doublings = Math.min(Math.max(attempt - 1, 0), 1_000);
  return Math.min(rule.backoffCapMs, rule.backoffBaseMs * 2 ** doublings);
}
