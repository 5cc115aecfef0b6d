import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Store } from '../inbox/store.ts';

const NAME = 'undated-groups';
/** As many as a document holds. */
const MAX_GROUPS = 3_000;
const DIGITS = 16;

const groups = z.array(z.string());

/**
 * Retry groups that were held or fetched back and whose payload does not say when it happened. The inbox soon forgets the key of
 * such an event, and would take it again. To be used under the lease of the reconciliation alone.
 */
export class UndatedGroups {
  readonly #store: Pick<Store, 'writeDocument'>;
  readonly #digests: Set<string>;

  private constructor(store: Pick<Store, 'writeDocument'>, digests: readonly string[]) {
    this.#store = store;
    this.#digests = new Set(digests);
  }

  static async read(store: Pick<Store, 'readDocument' | 'writeDocument'>): Promise<UndatedGroups> {
    const document = await store.readDocument(NAME);
    const read = groups.safeParse(document && JSON.parse(document.text));
    return new UndatedGroups(store, read.success ? read.data : []);
  }

  has(group: string): boolean {
    return this.#digests.has(digest(group));
  }

  /** Remembers these; of too many the newest. */
  async add(more: readonly string[]): Promise<void> {
    const before = this.#digests.size;
    for (const group of more) this.#digests.add(digest(group));
    if (this.#digests.size === before) return;
    for (const oldest of [...this.#digests].slice(0, -MAX_GROUPS)) this.#digests.delete(oldest);
    await this.#store.writeDocument(NAME, JSON.stringify([...this.#digests]), null);
  }
}

function digest(group: string): string {
  return hash('sha256', group, 'hex').slice(0, DIGITS);
}
