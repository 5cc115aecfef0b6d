import { createHistogram } from 'node:perf_hooks';
import type { Answer } from './post-event.ts';

/** Kinds of answer counted apart; words of strangers beyond that count together. */
const MAX_KINDS = 100;

export interface AnswerCount {
  readonly status: number | null;
  readonly answer: string | null;
  readonly count: number;
}

/** Answers by kind and their times, in memory of one size however many there are. */
export class AnswerTally {
  readonly #kinds = new Map<string, AnswerCount>();
  readonly #microseconds = createHistogram({ figures: 3 });
  #total = 0;

  get total(): number {
    return this.#total;
  }

  get allWell(): boolean {
    return this.counts().every(({ status }) => status === 200);
  }

  add({ status, answer, ms }: Answer): void {
    this.#total += 1;
    const name = `${status} ${answer}`;
    const kind =
      this.#kinds.has(name) || this.#kinds.size < MAX_KINDS ? { status, answer } : { status: null, answer: 'other' };
    const key = `${kind.status} ${kind.answer}`;
    this.#kinds.set(key, { ...kind, count: (this.#kinds.get(key)?.count ?? 0) + 1 });
    this.#microseconds.record(Math.max(1, Math.round(ms * 1_000)));
  }

  /** The most frequent first. */
  counts(): AnswerCount[] {
    return [...this.#kinds.values()].sort((a, b) => b.count - a.count);
  }

  /** Milliseconds. */
  percentile(percent: number): number {
    return this.#total === 0 ? 0 : this.#microseconds.percentile(percent) / 1_000;
  }
}
