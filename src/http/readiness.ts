import { lastingOf } from '../errors/problem.ts';
import type { Store } from '../inbox/store.ts';

/** Milliseconds for which one look at the store serves every probe: strangers may ask as often as they like. */
const LOOK_LASTS_MS = 1_000;

interface Found {
  readonly faults: readonly string[];
  readonly degraded: string | null;
  /** For people: what waits though the receiver works. Only what is more than 0. */
  readonly details: Readonly<Record<string, number>>;
}

export class Readiness {
  readonly #store: Pick<Store, 'check'>;
  readonly #details: Readonly<Record<string, () => Promise<number>>>;
  #look: { readonly at: number; readonly found: Promise<Found> } | undefined;
  #stopping = false;

  /** @param details read with each look at the store; a count whose reading fails is left out */
  constructor(store: Pick<Store, 'check'>, details: Readonly<Record<string, () => Promise<number>>> = {}) {
    this.#store = store;
    this.#details = details;
  }

  /** From now on no new work should be sent here. */
  stop(): void {
    this.#stopping = true;
  }

  /** What keeps this receiver from accepting events (none: it is ready), and what it accepts them in spite of; in words for
   * an operator without paths or addresses. */
  async look(): Promise<Found> {
    if (this.#stopping) return { faults: ['stopping'], degraded: null, details: {} };
    if (this.#look === undefined || performance.now() - this.#look.at > LOOK_LASTS_MS) {
      const found = this.#store.check().then(
        async ({ degraded }): Promise<Found> => ({ faults: [], degraded, details: await this.#readDetails() }),
        (error: unknown): Found => ({ faults: [wordsFor(error)], degraded: null, details: {} }),
      );
      this.#look = { at: performance.now(), found };
    }
    return this.#look.found;
  }

  async #readDetails(): Promise<Record<string, number>> {
    const read = Object.entries(this.#details).map(
      async ([name, count]) => [name, await count().catch(() => 0)] as const,
    );
    return Object.fromEntries((await Promise.all(read)).filter(([, n]) => n > 0));
  }
}

function wordsFor(error: unknown): string {
  const lasting = lastingOf(error);
  return lasting === undefined ? 'the store cannot commit' : `${lasting.what}, which waiting does not fix`;
}
