import type { Logger } from 'pino';
import { isLeaving, type KnownToken, type TokenBook } from './instantly/token-book.ts';
import type { InForce, Knowledge } from './tokens-in-force.ts';

const SETTING = 'INSTANTLY_WEBHOOK_TOKEN';

/** Ends the start. */
export const LOST =
  'the record of the rotated tokens in the store cannot be read, so any token of INSTANTLY_WEBHOOK_TOKEN may be a retired one, and none is let in; where a newer release has written the record, start that one; otherwise set the keys of Instantly and PUBLIC_URL (the token that its webhook carries is let in then) and run "secrets rotate", or make a new token ("secrets new"), set it alone, give it to Instantly, and run "secrets reset --yes"';

/** Tells the operator of tokens in the settings that are not what they should be; once, until it changes. */
export class TokenWarnings {
  readonly #logger: Pick<Logger, 'warn' | 'error'>;
  readonly #said = new Map<string, string>();
  /** Positions for which the settings were read anew, and those of the last look. */
  #replaced: string | undefined;
  #lastReplaced = '';

  constructor(logger: Pick<Logger, 'warn' | 'error'>) {
    this.#logger = logger;
  }

  warn({ replaced, doubtful, fingerprints }: InForce, { book, carried, isBlind }: Knowledge): void {
    this.#say(
      'replaced',
      'warn',
      // After a rotation, once the settings were read again: its command writes them last.
      replaced.length > 0 && replaced.join() === (this.#replaced ?? replaced.join())
        ? `${SETTING} holds a retired token at ${places(replaced)}: take it out; it never lets in again, so where a token is needed there, choose a new one ("secrets rotate" or "secrets new")`
        : '',
    );
    this.#say(
      'first',
      'error',
      isBlind && carried === undefined && fingerprints.length > 0
        ? `which tokens were retired is not known while the store is away: only the first of ${SETTING} is let in, as the current one`
        : '',
    );
    const end = book.isLost ? '; "secrets rotate" or "secrets reset" ends that' : ', until the store is back';
    this.#say(
      'doubtful',
      'error',
      doubtful.length > 0
        ? `whether the token of ${SETTING} at ${places(doubtful)} was retired is not known: a delivery that carries it is answered 503, to be sent again${end}`
        : '',
    );
  }

  /**
   * A new store knows of no rotation, and Instantly may know better.
   *
   * @param carried fingerprints of the tokens that our webhooks at Instantly carry
   * @param own the tokens of the settings
   */
  compare(
    carried: readonly string[],
    { accepted, minted, fingerprints }: InForce,
    own: readonly KnownToken[],
    book: TokenBook,
  ): void {
    const isSuspect = (token: KnownToken): boolean =>
      accepted.includes(token.fingerprint) && !carried.includes(token.fingerprint) && !isLeaving(book, token);
    const suspect = own.flatMap((token, index) => (isSuspect(token) ? [index + 1] : []));
    const [first = ''] = fingerprints;
    const isOther = carried.length > 0 && ![first, ...minted].some((one) => carried.includes(one));
    this.#say(
      'suspect',
      'warn',
      isOther && suspect.length > 0
        ? `the token of ${SETTING} at ${places(suspect)} lets in, and our webhooks at Instantly carry another: where it was replaced, take it out`
        : '',
    );
  }

  /** Whether the settings hold replaced tokens that they did not hold at the start: one look after that was seen, because the
   * command writes the settings as the last thing it does. */
  isNewlyReplaced({ replaced }: InForce): boolean {
    const now = replaced.join();
    const isNew = now !== (this.#replaced ?? now) && now === this.#lastReplaced;
    if (isNew || this.#replaced === undefined) this.#replaced = now;
    this.#lastReplaced = now;
    return isNew && now !== '';
  }

  #say(about: string, level: 'warn' | 'error', message: string): void {
    if ((this.#said.get(about) ?? '') === message) return;
    this.#said.set(about, message);
    if (message !== '') this.#logger[level](message);
  }
}

function places(positions: readonly number[]): string {
  return `position ${positions.join(' and ')}`;
}
