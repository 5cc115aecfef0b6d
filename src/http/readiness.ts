import type { Store } from '../inbox/store.ts';

/** Milliseconds for which one look at the store serves every probe: strangers may ask as often as they like. */
const LOOK_LASTS_MS = 1_000;

interface Found {
  readonly faults: readonly string[];
  readonly degraded: string | null;
}

export class Readiness {
  readonly #store: Pick<Store, 'check'>;
  #look: { readonly at: number; readonly found: Promise<Found> } | undefined;
  #stopping = false;

  constructor(store: Pick<Store, 'check'>) {
    this.#store = store;
  }

  /** From now on no new work should be sent here. */
  stop(): void {
    this.#stopping = true;
  }

  /** What keeps this receiver from accepting events (none: it is ready), and what it accepts them in spite of; in words for
   * an operator without paths or addresses. */
  async look(): Promise<Found> {
    if (this.#stopping) return { faults: ['stopping'], degraded: null };
    if (this.#look === undefined || Date.now() - this.#look.at > LOOK_LASTS_MS) {
      const found = this.#store.check().then(
        ({ degraded }): Found => ({ faults: [], degraded }),
        (): Found => ({ faults: ['the store cannot commit'], degraded: null }),
      );
      this.#look = { at: Date.now(), found };
    }
    return this.#look.found;
  }
}
