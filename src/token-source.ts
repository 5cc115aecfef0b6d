import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { AuditDraft } from './audit/entry.ts';
import { draft } from './audit/make-draft.ts';
import {
  type Authenticator,
  createAuthenticator,
  fingerprintTokens,
  type TokenChanges,
  tokenId,
} from './authenticate/index.ts';
import type { Settings } from './config/settings.ts';
import type { Store } from './inbox/store.ts';
import {
  EMPTY_BOOK,
  isRetired,
  mintedTokensAt,
  parseTokenBook,
  readTokenBook,
  settleBook,
  type TokenBook,
  writeTokenBook,
} from './instantly/token-book.ts';

const REFRESH_MS = 3_000;

export interface TokenSourceOptions {
  readonly store: Pick<Store, 'readDocument' | 'writeDocument'>;
  readonly settings: () => Settings;
  /** Where the record is kept for a start without the store; `undefined`: the store is on this machine. */
  readonly copy: string | undefined;
  readonly record: (entry: AuditDraft) => void;
  /** After another authenticator has come into force. */
  readonly onChange: (mintedFingerprints: readonly string[]) => void;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

interface InForce {
  readonly authenticator: Authenticator;
  /** By position, from 1. */
  readonly fingerprints: readonly string[];
  readonly accepted: readonly string[];
  readonly minted: readonly string[];
}

/** The authenticator that is in force: by the settings, and by what rotations have made of their tokens. */
export class TokenSource {
  readonly #options: TokenSourceOptions;
  #book: TokenBook = EMPTY_BOOK;
  #version = 0;
  #inForce: InForce;
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  /** @throws SettingsError where the settings hold no secret that can be used */
  constructor(options: TokenSourceOptions) {
    this.#options = options;
    this.#inForce = this.#build();
  }

  get authenticator(): Authenticator {
    return this.#inForce.authenticator;
  }

  /** What the audit calls the token at this position. */
  tokenIdAt(position: number): string | undefined {
    const fingerprint = this.#inForce.fingerprints[position - 1];
    return fingerprint && tokenId(fingerprint);
  }

  /** Fingerprints of all tokens that are let in now. */
  get accepted(): readonly string[] {
    return this.#inForce.accepted;
  }

  /** Whether the token at this position of the settings still lets in. */
  isAccepted(position: number): boolean {
    const { fingerprints, accepted } = this.#inForce;
    return accepted.includes(fingerprints[position - 1] ?? '');
  }

  get mintedFingerprints(): readonly string[] {
    return this.#inForce.minted;
  }

  /** To be awaited before the first request: what was retired must not let anybody in, what was made must. */
  async load(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#readCopy(error);
    }
    this.#apply();
  }

  start(): void {
    const refresh = (): Promise<void> => {
      this.#running ??= this.refresh().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    };
    void refresh();
    this.#timer = setInterval(() => void refresh(), REFRESH_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Once: what was known last goes on while the store is away. Also to be called when the settings have changed. */
  async refresh(): Promise<void> {
    try {
      await this.#read();
      await this.#settle();
      this.#apply();
      this.#isStale = false;
    } catch (error) {
      this.#apply();
      // Once for each outage.
      if (!this.#isStale)
        this.#options.logger.warn({ err: error }, 'the record of the rotated tokens could not be brought up to date');
      this.#isStale = true;
    }
  }

  async #read(): Promise<void> {
    const { book, version } = await readTokenBook(this.#options.store);
    if (version !== this.#version) this.#keepCopy(book);
    this.#book = book;
    this.#version = version;
  }

  /** Whoever writes it audits it; of several processes one does. */
  async #settle(): Promise<void> {
    const now = Date.now();
    const { book, retired } = settleBook(this.#book, now);
    if (retired.length === 0) return;
    this.#version = await writeTokenBook(this.#options.store, book, this.#version);
    this.#book = book;
    for (const fingerprint of retired) {
      const metadata = { tokenId: tokenId(fingerprint) };
      const entry = {
        action: 'secret.retire',
        userId: 'service',
        resource: 'secret',
        result: 'success',
        at: now,
      } as const;
      this.#options.record(draft({ ...entry, metadata }));
      this.#options.logger.info(metadata, 'a replaced token lets nobody in any more');
    }
  }

  #apply(): void {
    const before = this.#inForce;
    try {
      this.#inForce = this.#build();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the secrets stay as they were');
      return;
    }
    if (before.accepted.join() !== this.#inForce.accepted.join()) this.#options.onChange(this.#inForce.minted);
  }

  #build(): InForce {
    const { authentication, audit } = this.#options.settings();
    const now = Date.now();
    const minted = mintedTokensAt(this.#book, now);
    const own = fingerprintTokens(audit.key, authentication.tokens);
    const retired = own.flatMap((fingerprint, index) => (isRetired(this.#book, fingerprint, now) ? [index + 1] : []));
    const changes: TokenChanges = {
      minted: minted.map(({ digest }) => Buffer.from(digest, 'hex')),
      retired: new Set(retired),
    };
    const mintedFingerprints = minted.map(({ fingerprint }) => fingerprint);
    return {
      authenticator: createAuthenticator(authentication, Date.now, changes),
      fingerprints: [...own, ...mintedFingerprints],
      accepted: [...own.filter((_, index) => !changes.retired.has(index + 1)), ...mintedFingerprints],
      minted: mintedFingerprints,
    };
  }

  #keepCopy(book: TokenBook): void {
    const { copy } = this.#options;
    if (copy === undefined) return;
    try {
      writeFileSync(`${copy}.new`, JSON.stringify(book), { mode: 0o600 });
      renameSync(`${copy}.new`, copy);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the record of the rotated tokens could not be kept on this machine');
    }
  }

  #readCopy(reason: unknown): void {
    const { copy, logger } = this.#options;
    logger.warn({ err: reason }, 'the record of the rotated tokens could not be read; this machine goes by its copy');
    // There is none where the store was never reached from here.
    if (copy === undefined || !existsSync(copy)) return;
    try {
      this.#book = parseTokenBook(readFileSync(copy, 'utf8'));
    } catch (error) {
      logger.warn({ err: error }, 'the copy cannot be read either; the tokens of the settings count');
    }
  }
}
