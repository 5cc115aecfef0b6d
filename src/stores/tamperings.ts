import type { Tampering } from '../audit/tampering.ts';

/** Kept for a listener that comes later. */
const MOST = 100;

/** What a store has found out about its log, told to each listener whenever it comes. */
export class Tamperings {
  readonly #found: Tampering[] = [];
  readonly #listeners: ((found: Tampering) => void)[] = [];

  add(found: Tampering): void {
    if (this.#found.length < MOST) this.#found.push(found);
    for (const listener of this.#listeners) listener(found);
  }

  listen(listener: (found: Tampering) => void): void {
    this.#listeners.push(listener);
    for (const found of this.#found) listener(found);
  }
}
