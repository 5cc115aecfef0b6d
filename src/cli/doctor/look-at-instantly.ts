import { StoreUnavailable } from '../../errors/problem.ts';
import { type ApiFailure, InstantlyApiError } from '../../instantly/api-error.ts';
import type { InstantlyReader } from '../../instantly/reader.ts';
import type { ListedApiKey, Webhook } from '../../instantly/schemas.ts';
import { Skipped } from './check.ts';

/** The key is known and the API answers, though not with this. */
const ANSWERED: ReadonlySet<ApiFailure> = new Set(['scope', 'plan', 'excess-scopes']);

/** What several checks ask of Instantly, asked once. */
export class InstantlyLook {
  readonly reader: InstantlyReader;
  readonly #signal: AbortSignal;
  #webhooks: Promise<Webhook[]> | undefined;
  #apiKeys: Promise<ListedApiKey[]> | undefined;

  /** @param signal ends whatever is under way */
  constructor(reader: InstantlyReader, signal: AbortSignal) {
    this.reader = reader;
    this.#signal = signal;
  }

  /** @throws InstantlyApiError; Error where it takes too long */
  webhooks(): Promise<Webhook[]> {
    this.#webhooks ??= this.#inTime(this.reader.webhooks(this.#signal));
    return this.#webhooks;
  }

  /** @throws InstantlyApiError; Error where it takes too long */
  apiKeys(): Promise<ListedApiKey[]> {
    this.#apiKeys ??= this.#inTime(this.reader.apiKeys(this.#signal));
    return this.#apiKeys;
  }

  /** @throws Skipped where it does not answer, or does not know the key: one line of its own says so */
  async reach(): Promise<void> {
    try {
      await this.webhooks();
    } catch (error) {
      if (error instanceof Skipped) throw error;
      if (error instanceof InstantlyApiError && ANSWERED.has(error.failure)) return;
      throw new Skipped('Instantly could not be asked', 'mend what the line "instantly" names');
    }
  }

  async #inTime<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof StoreUnavailable) {
        throw new Skipped('its calls cannot be written to the audit log', 'mend what the line "store" names');
      }
      if (!this.#signal.aborted || error instanceof InstantlyApiError) throw error;
      throw new Error('Instantly did not answer in time: try again in a few minutes');
    }
  }
}
