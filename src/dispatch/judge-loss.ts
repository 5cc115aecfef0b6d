import type { RunFailure } from './run-outcome.ts';

/** A thread that was lost with runs in it: it never yielded again, or it ended by itself. */
export interface LostThread {
  readonly failure: RunFailure;
  /** One line, to be kept with the delivery that caused it. */
  readonly error: string;
  /** Number of the newest run whose handler was called. */
  readonly begun: number;
  /** The run that is known to have caused it; 0: unknown. */
  readonly culprit: number;
}

/** `suspect`: it may have been this one; run it again alone to know. */
export type Verdict = 'guilty' | 'innocent' | 'suspect';

/**
 * Which of a lost thread's runs count as failed. Only what is known for certain counts: a known culprit, or the only
 * one that had begun. Where it may have been any of several, each is run again in a thread of its own, which leaves no
 * doubt. A run that had not begun has done nothing; nor has any, where the culprit is one that had settled before.
 */
export function judgeLoss(runs: readonly number[], { begun, culprit }: LostThread): Map<number, Verdict> {
  const suspects = culprit === 0 ? runs.filter((run) => run <= begun) : runs.filter((run) => run === culprit);
  const verdict = suspects.length === 1 ? 'guilty' : 'suspect';
  return new Map(runs.map((run) => [run, suspects.includes(run) ? verdict : 'innocent']));
}
