import type { Problem } from '../errors/problem.ts';

/**
 * What ends a request before its body is whole. Each request has one and nearly none is used, which is why it is no AbortSignal:
 * that costs a request as much as its parsing.
 */
export class Interruption {
  #problem: Problem | undefined;
  #listener: ((problem: Problem) => void) | undefined;

  /** Set once it has happened. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** The first one counts. */
  happen(problem: Problem): void {
    if (this.#problem !== undefined) return;
    this.#problem = problem;
    this.#listener?.(problem);
  }

  /** In place of whoever listened before; `undefined`: nobody listens any more. */
  listen(listener: ((problem: Problem) => void) | undefined): void {
    this.#listener = listener;
  }
}
