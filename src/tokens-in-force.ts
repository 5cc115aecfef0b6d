import { type Authenticator, createAuthenticator, type TokenChanges, tokenId } from './authenticate/index.ts';
import type { AuthenticationSettings } from './config/settings.ts';
import { isReplaced, isRetired, type KnownToken, mintedTokensAt, type TokenBook } from './instantly/token-book.ts';

export interface InForce {
  readonly authenticator: Authenticator;
  /** What the audit calls the tokens, by position, as `fingerprints`. */
  readonly tokenIds: readonly string[];
  /** By position, from 1. */
  readonly fingerprints: readonly string[];
  readonly accepted: readonly string[];
  /** Fingerprints of those that a rotation has made and none has replaced. */
  readonly minted: readonly string[];
  /** Positions in the settings: of what lets nobody in, or soon will not. */
  readonly replaced: readonly number[];
  /** Positions in the settings. */
  readonly doubtful: readonly number[];
}

/** The tokens of the settings. */
export interface OwnTokens {
  readonly authentication: AuthenticationSettings;
  readonly tokens: readonly KnownToken[];
}

/** What tells which tokens are current. */
export interface Knowledge {
  readonly book: TokenBook;
  /** Carried by our webhooks at Instantly; `undefined`: not known. */
  readonly carried: readonly KnownToken[] | undefined;
  /** The store is away, and nothing on this machine tells what the record in it says. */
  readonly isBlind: boolean;
}

/**
 * Where the record is known, the tokens of the settings let in that it does not call retired. Where it is not, Instantly's own word
 * for what is current counts. Where that is not to be had either, and the store will be back, the first of the settings is the current
 * one: so the settings list them. Of the rest it is not known; what comes with them is to be sent again.
 *
 * @throws SettingsError where the settings hold no secret that can be used
 */
export function bringIntoForce({
  authentication,
  tokens,
  book,
  carried,
  isBlind,
  now,
}: OwnTokens & Knowledge & { readonly now: number }): InForce {
  const isOut = (token: KnownToken): boolean => isRetired(book, token, now);
  const minted = mintedTokensAt(book, now).map(({ digest, fingerprint, acceptUntil }) => ({
    fingerprint,
    acceptUntil,
    digest: Buffer.from(digest, 'hex'),
  }));
  const current = (carried ?? []).filter((token) => !isOut(token));
  const beside = [
    ...minted,
    ...current.filter(({ fingerprint }) => minted.every((one) => one.fingerprint !== fingerprint)),
  ];
  const proven = new Set(beside.map(({ fingerprint }) => fingerprint));
  const first = isBlind && carried === undefined ? tokens.find((token) => !isOut(token)) : undefined;
  const isDoubtful = (token: KnownToken): boolean =>
    (book.isLost || isBlind) && !isOut(token) && token !== first && !proven.has(token.fingerprint);
  const positionsOf = (isOne: (token: KnownToken) => boolean): number[] =>
    tokens.flatMap((token, index) => (isOne(token) ? [index + 1] : []));
  const doubtful = positionsOf(isDoubtful);
  const changes: TokenChanges = {
    minted: beside.map(({ digest }) => digest),
    retired: new Set(positionsOf(isOut)),
    doubtful: new Set(doubtful),
  };
  const valid = tokens.filter((token) => !isOut(token) && !isDoubtful(token)).map(({ fingerprint }) => fingerprint);
  const fingerprints = [...tokens, ...beside].map(({ fingerprint }) => fingerprint);
  return {
    authenticator: createAuthenticator(authentication, Date.now, changes),
    tokenIds: fingerprints.map(tokenId),
    fingerprints,
    accepted: [...new Set([...valid, ...proven])],
    minted: minted.flatMap(({ fingerprint, acceptUntil }) => (acceptUntil === null ? fingerprint : [])),
    replaced: positionsOf((token) => isReplaced(book, token)),
    doubtful,
  };
}
