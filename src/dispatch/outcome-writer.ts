import { setTimeout as pause } from 'node:timers/promises';
import type { DeliveryOutcome } from '../inbox/store.ts';
import { storeBackoff } from './limits.ts';

/** Sees to it that outcomes are committed, however long the store is away. */
export class OutcomeWriter {
  readonly #commit: (outcome: DeliveryOutcome) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  readonly #end = new AbortController();

  constructor(commit: (outcome: DeliveryOutcome) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#commit = commit;
    this.#onFailure = onFailure;
  }

  /** Resolves with whether the outcome is durable; `false` only after `giveUp`. */
  async write(outcome: DeliveryOutcome): Promise<boolean> {
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#commit(outcome);
        return true;
      } catch (error) {
        if (failures === 1) this.#onFailure(error);
      }
      if (!(await this.#wait(storeBackoff(failures)))) return false;
    }
  }

  /** Nothing is tried again from now on. A delivery whose outcome is lost keeps its lease until that is taken back. */
  giveUp(): void {
    this.#end.abort();
  }

  /** Gives whether to try again. */
  async #wait(milliseconds: number): Promise<boolean> {
    try {
      await pause(milliseconds, undefined, { signal: this.#end.signal });
      return true;
    } catch {
      // Aborted: there is no time left.
      return false;
    }
  }
}
