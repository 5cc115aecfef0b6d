import type { Logger } from 'pino';
import type { AuditDraft } from './audit/entry.ts';
import { draft } from './audit/make-draft.ts';
import { tokenId } from './authenticate/index.ts';
import type { Settings } from './config/settings.ts';
import { SettingsError } from './errors/problem.ts';
import type { Store } from './inbox/store.ts';
import {
  EMPTY_BOOK,
  identifyTokens,
  type KnownToken,
  markRetirements,
  type Retirement,
  readTokenBook,
  settleBook,
  type TokenBook,
  UnreadableBook,
  withRetirements,
  writeTokenBook,
} from './instantly/token-book.ts';
import { TokenCopy } from './token-copy.ts';
import { LOST, TokenWarnings } from './token-warnings.ts';
import { bringIntoForce, type InForce, type Knowledge, type OwnTokens } from './tokens-in-force.ts';

const REFRESH_MS = 3_000;

export interface TokenSourceOptions {
  readonly store: Pick<Store, 'readDocument' | 'writeDocument'>;
  readonly settings: () => Settings;
  /** Where this machine remembers the record, for a start without the store and for a store that has lost it. */
  readonly copy: string;
  /** What our webhooks at Instantly carry; `undefined`: not known. */
  readonly carried: (book: TokenBook) => Promise<readonly KnownToken[] | undefined>;
  readonly record: (entry: AuditDraft) => void;
  /** After another authenticator has come into force. */
  readonly onChange: () => void;
  /** A rotation has replaced a token of the settings meanwhile, and may have written them. */
  readonly onReplaced: () => void;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** The authenticator that is in force: by the settings, and by what rotations have made of their tokens. */
export class TokenSource {
  readonly #options: TokenSourceOptions;
  readonly #copy: TokenCopy;
  readonly #warnings: TokenWarnings;
  #book: TokenBook = EMPTY_BOOK;
  #version = 0;
  /** Of this machine's copy: they count though the store has lost them. */
  #remembered: readonly Retirement[] = [];
  /** The store lacks some of them. */
  #hasLost = false;
  /** No record has been seen since the start, because the store is away and this machine remembers none. */
  #isBlind = false;
  /** Carried by our webhooks at Instantly; `undefined`: not known. Asked for only while the record is not known. */
  #carried: readonly KnownToken[] | undefined;
  #own: OwnTokens;
  #inForce: InForce;
  #latest = 0;
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  /** @throws SettingsError where the settings hold no secret that can be used */
  constructor(options: TokenSourceOptions) {
    this.#options = options;
    this.#copy = new TokenCopy(options.copy, options.logger);
    this.#warnings = new TokenWarnings(options.logger);
    this.#own = { authentication: options.settings().authentication, tokens: [] };
    this.#inForce = this.#build();
  }

  /** What requests that begin now are proven by. */
  get inForce(): Pick<InForce, 'authenticator' | 'tokenIds'> {
    return this.#inForce;
  }

  /** Fingerprints of all tokens that are let in now. */
  get accepted(): readonly string[] {
    return this.#inForce.accepted;
  }

  /** Whether a token is asked for at all: where all are retired, none is let in. */
  get isOn(): boolean {
    return this.#inForce.fingerprints.length > 0;
  }

  /** Fingerprints of those of the settings of which it is not known whether they were retired. */
  get doubtful(): readonly string[] {
    return this.#inForce.doubtful.flatMap((position) => this.#inForce.fingerprints[position - 1] ?? []);
  }

  /** Fingerprints of those of the settings that a rotation has replaced. */
  get replaced(): readonly string[] {
    return this.#inForce.replaced.map((position) => this.#inForce.fingerprints[position - 1] ?? '');
  }

  /** Whether the token at this position of the settings still lets in. */
  isAccepted(position: number): boolean {
    return this.accepted.includes(this.#inForce.fingerprints[position - 1] ?? '');
  }

  get mintedFingerprints(): readonly string[] {
    return this.#inForce.minted;
  }

  /**
   * To be awaited before the first request: what was retired must not let anybody in, what was made must.
   *
   * @throws SettingsError where the record cannot be read and nothing else tells which tokens are current
   */
  async load(): Promise<void> {
    const copy = this.#copy.read(this.#options.settings().audit.key);
    this.#remembered = copy?.retirements ?? [];
    try {
      await this.#read();
    } catch (error) {
      this.#startWithout(error, copy);
    }
    await this.#bringAbout();
    const isHelpless = this.#book.isLost && copy === undefined && this.#carried === undefined;
    this.#warnings.isNewlyReplaced(this.#inForce);
    if (isHelpless && this.accepted.length === 0 && this.#own.tokens.length > 0) throw new SettingsError([LOST]);
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
      await this.#bringAbout();
      this.#isStale = false;
      if (this.#warnings.isNewlyReplaced(this.#inForce)) this.#options.onReplaced();
    } catch (error) {
      await this.#bringAbout();
      // Once for each outage.
      if (!this.#isStale)
        this.#options.logger.warn({ err: error }, 'the record of the rotated tokens could not be brought up to date');
      this.#isStale = true;
    }
  }

  /** @param carried fingerprints of the tokens that our webhooks at Instantly carry */
  compare(carried: readonly string[]): void {
    this.#warnings.compare(carried, this.#inForce, this.#own.tokens, this.#book);
  }

  async #read(): Promise<void> {
    const { store, settings } = this.#options;
    const { book, version } = await readTokenBook(store, settings().audit.key);
    const whole = withRetirements(book, this.#remembered);
    this.#hasLost = whole !== book;
    if (version !== this.#version) this.#copy.keep(whole);
    this.#book = whole;
    this.#version = version;
    this.#isBlind = false;
  }

  /** Whoever writes it audits it; of several processes one does. */
  async #settle(): Promise<void> {
    const now = this.#now();
    const marked = await markRetirements(this.#book, await this.#identify());
    const { book, retired } = settleBook(marked, now);
    if (retired.length === 0 && marked === this.#book && !this.#hasLost) return;
    this.#version = await writeTokenBook(this.#options.store, book, this.#version);
    this.#book = book;
    this.#copy.keep(book);
    for (const fingerprint of retired) {
      const metadata = { tokenId: tokenId(fingerprint) };
      const entry = { action: 'secret.retire', userId: 'service', resource: 'secret', at: now } as const;
      this.#options.record(draft({ ...entry, result: 'success', metadata }));
      this.#options.logger.info(metadata, 'a replaced token lets nobody in any more');
    }
  }

  /** Without the record in the store. */
  #startWithout(error: unknown, copy: TokenBook | undefined): void {
    const { logger } = this.#options;
    const isUnreadable = error instanceof UnreadableBook;
    this.#book = { ...(copy ?? EMPTY_BOOK), isLost: isUnreadable || copy?.isLost === true };
    this.#isBlind = !isUnreadable && copy === undefined;
    const machine = copy === undefined ? 'has no copy of it' : 'goes by its copy';
    logger.warn({ err: error }, `the record of the rotated tokens could not be read; this machine ${machine}`);
  }

  /** Whatever is known by now comes into force. */
  async #bringAbout(): Promise<void> {
    const isUnknown = this.#book.isLost || this.#isBlind;
    this.#carried = isUnknown ? await this.#options.carried(this.#book) : undefined;
    const { authentication } = this.#options.settings();
    const tokens = await this.#identify();
    // Newer settings may have come into force meanwhile.
    if (this.#options.settings().authentication !== authentication) return this.#bringAbout();
    this.#own = { authentication, tokens };
    this.#apply();
  }

  #identify(): Promise<KnownToken[]> {
    return identifyTokens(this.#options.settings(), this.#book);
  }

  #apply(): void {
    const before = this.#inForce;
    try {
      this.#inForce = this.#build();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the secrets stay as they were');
      return;
    }
    this.#warnings.warn(this.#inForce, this.#knowledge);
    const told = ({ accepted, minted, replaced }: InForce): string => [accepted, minted, replaced].join(' ');
    if (told(before) !== told(this.#inForce)) this.#options.onChange();
  }

  /** A clock that is set back lets nobody in again. */
  #now(): number {
    this.#latest = Math.max(this.#latest, Date.now());
    return this.#latest;
  }

  #build(): InForce {
    return bringIntoForce({ ...this.#own, ...this.#knowledge, now: this.#now() });
  }

  get #knowledge(): Knowledge {
    return { book: this.#book, carried: this.#carried, isBlind: this.#isBlind };
  }
}
