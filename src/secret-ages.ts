import type { Logger } from 'pino';
import { tokenId } from './authenticate/index.ts';
import type { Settings } from './config/settings.ts';
import { fingerprintSecrets } from './fingerprint-secrets.ts';
import type { Store } from './inbox/store.ts';

/** When each secret in use was first seen, by its name. */
export class SecretAges {
  readonly #store: Pick<Store, 'firstSeen'>;
  readonly #logger: Pick<Logger, 'warn'>;
  #firstSeen: ReadonlyMap<string, number> = new Map();

  constructor(store: Pick<Store, 'firstSeen'>, logger: Pick<Logger, 'warn'>) {
    this.#store = store;
    this.#logger = logger;
  }

  /** Epoch milliseconds by name. */
  get firstSeen(): ReadonlyMap<string, number> {
    return this.#firstSeen;
  }

  /**
   * A store that cannot write now keeps nobody from going on.
   *
   * @param minted fingerprints of the tokens that a rotation has made
   */
  async refresh(settings: Settings, minted: readonly string[]): Promise<void> {
    const named = fingerprintSecrets(settings);
    for (const fingerprint of minted) named.set(`rotated-token:${tokenId(fingerprint)}`, fingerprint);
    const now = Date.now();
    const seen = await this.#store.firstSeen([...named.values()], now).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the age of the secrets is not known: the store cannot write now');
      return new Map<string, number>();
    });
    this.#firstSeen = new Map([...named].map(([name, fingerprint]) => [name, seen.get(fingerprint) ?? now]));
  }
}
