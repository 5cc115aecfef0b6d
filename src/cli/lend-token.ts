import { tokenId } from '../authenticate/index.ts';
import { Secret } from '../config/secret.ts';
import type { AuthenticationSettings, Settings } from '../config/settings.ts';
import type { Store } from '../inbox/store.ts';
import { awaitReceivers, mintToken } from '../instantly/mint-token.ts';
import { identifyTokens, isRetired, readTokenBook, writeTokenBook } from '../instantly/token-book.ts';
import { operateStore, operatorDraft, recordAction } from './open-store.ts';
import { note } from './print.ts';

/** Should this command be killed, its token lets nobody in after that. */
const VALID_MS = 3_600_000;
/** For the receivers to know it: they read the record every few seconds. */
const KNOWN_MS = 20_000;

/**
 * After a rotation the tokens of the settings let nobody in, and the new one is known by its digest alone. This gives `send` a token
 * of its own for as long as it runs: whoever can write to the store and has its audit key may have one.
 */
export class LentToken {
  readonly #settings: Settings;
  readonly #signal: AbortSignal;
  #lending: Promise<AuthenticationSettings | undefined> | undefined;
  #fingerprint: string | undefined;

  constructor(settings: Settings, signal: AbortSignal) {
    this.#settings = settings;
    this.#signal = signal;
  }

  /** To be called after a request was refused. `undefined`: no rotation is the reason, or no token can be had. */
  authentication(): Promise<AuthenticationSettings | undefined> {
    this.#lending ??= this.#lend().catch((error: unknown) => {
      this.#signal.throwIfAborted();
      note(`No token could be made for this command: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    });
    return this.#lending;
  }

  /** From here on it lets nobody in. */
  async giveBack(): Promise<void> {
    const fingerprint = this.#fingerprint;
    if (fingerprint === undefined) return;
    await operateStore(this.#settings, (store) => forget(store, fingerprint)).catch((error: unknown) =>
      note(`The token of this command is let in for an hour at the most: ${String(error)}`),
    );
  }

  async #lend(): Promise<AuthenticationSettings | undefined> {
    const { authentication, audit } = this.#settings;
    if (authentication.tokens.length === 0) return undefined;
    return operateStore(this.#settings, async (store) => {
      const { book, version } = await readTokenBook(store, audit.key);
      const now = Date.now();
      const own = await identifyTokens(this.#settings, book);
      const isValid = own.map((token) => !book.isLost && !isRetired(book, token, now));
      const valid = authentication.tokens.filter((_, index) => isValid[index]);
      if (valid.length === own.length) return undefined;
      // One that stands behind a replaced one.
      if (valid.length > 0) return { ...authentication, tokens: valid };
      const { token, entry } = mintToken(audit.key, now);
      const lent = { ...entry, acceptUntil: now + VALID_MS };
      await writeTokenBook(store, { ...book, minted: [...book.minted, lent] }, version);
      this.#fingerprint = entry.fingerprint;
      await recordAction(store, operatorDraft('secret.make', { tokenId: tokenId(entry.fingerprint), reason: 'send' }));
      note('A rotation has replaced the token of the settings: sending with one that is valid for this command alone.');
      await awaitReceivers(store, entry.fingerprint, KNOWN_MS, this.#signal);
      return { ...authentication, tokens: [new Secret(token)] };
    });
  }
}

async function forget(store: Store, fingerprint: string): Promise<void> {
  const { book, version } = await readTokenBook(store);
  const minted = book.minted.filter((one) => one.fingerprint !== fingerprint);
  await writeTokenBook(store, { ...book, minted }, version);
  await recordAction(store, operatorDraft('secret.retire', { tokenId: tokenId(fingerprint) }));
}
