import type { Store } from '../inbox/store.ts';

/** Milliseconds for which one look at the store serves every probe: strangers may ask as often as they like. */
const LOOK_LASTS_MS = 1_000;

export class Readiness {
  readonly #store: Pick<Store, 'check'>;
  #look: { readonly at: number; readonly faults: Promise<readonly string[]> } | undefined;
  #stopping = false;

  constructor(store: Pick<Store, 'check'>) {
    this.#store = store;
  }

  /** From now on no new work should be sent here. */
  stop(): void {
    this.#stopping = true;
  }

  /** What keeps this receiver from accepting events, in words for an operator without paths or addresses; none: ready. */
  async faults(): Promise<readonly string[]> {
    if (this.#stopping) return ['stopping'];
    if (this.#look === undefined || Date.now() - this.#look.at > LOOK_LASTS_MS) {
      const faults = this.#store.check().then(
        () => [],
        () => ['the store cannot commit'],
      );
      this.#look = { at: Date.now(), faults };
    }
    return this.#look.faults;
  }
}
