import { z } from 'zod';
import { digestsHeld, digestToken, fingerprintToken, markingOf, markToken, newMarking } from '../authenticate/index.ts';
import type { Secret } from '../config/secret.ts';
import type { Settings } from '../config/settings.ts';
import type { Store } from '../inbox/store.ts';

/** The document of the store that says what has become of the tokens since the settings were written. */
const NAME = 'tokens';

const time = z.int().min(0);
const fingerprint = z.string().regex(/^[0-9a-f]{32}$/);

const mintedToken = z.object({
  /** SHA-256 of the token, hex: enough to compare, and of no use to whoever reads it. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  fingerprint,
  /** Epoch milliseconds. */
  madeAt: time,
  /** Epoch milliseconds from which it lets nobody in; `null`: it is in use. */
  acceptUntil: time.nullable(),
});
export type MintedToken = z.output<typeof mintedToken>;

/** A token that a rotation has replaced: it never lets anybody in again, wherever it is put. */
const retirement = z.object({
  fingerprint,
  acceptUntil: time,
  isAudited: z.boolean(),
  /** Tells the token without the audit key; `null`: only its fingerprint is known, as in records of earlier releases. */
  mark: z
    .string()
    .regex(/^scrypt\$\d{1,6}\$[0-9a-f]{32}\$[0-9a-f]{64}$/)
    .nullable()
    .default(null),
});
export type Retirement = z.output<typeof retirement>;

/** Made: the store has its digest. Patching: every receiver accepts it, and webhooks may carry it. */
const STAGES = ['made', 'patching'] as const;

const rotation = z.object({
  id: z.string(),
  startedAt: time,
  fingerprint,
  stage: z.enum(STAGES),
});
export type Rotation = z.output<typeof rotation>;

const tokenBook = z.object({
  minted: z.array(mintedToken),
  retirements: z.array(retirement),
  rotation: rotation.nullable(),
  /** An earlier record could not be read, so any token of the settings may be a retired one. The next rotation ends it. */
  isLost: z.boolean().default(false),
});
export type TokenBook = z.output<typeof tokenBook>;

export const EMPTY_BOOK: TokenBook = { minted: [], retirements: [], rotation: null, isLost: false };

/** The store was asked, and what it holds is no record that this release can read. */
export class UnreadableBook extends Error {
  override readonly name = 'UnreadableBook';
}

interface Named {
  readonly fingerprint: string;
  readonly digest: Buffer;
}

/** A token by all that a record may know of it. */
export interface KnownToken extends Named {
  readonly marks: readonly string[];
  /** Of what it holds, where it was set with a scheme, as `Bearer …`: both are one token. */
  readonly held: readonly Named[];
}

type Recognisable = Pick<KnownToken, 'fingerprint' | 'marks' | 'held'>;

/** What gives webhooks their token needs no more of the store. */
export type TokenStore = Pick<Store, 'readDocument' | 'writeDocument' | 'listDocuments' | 'dropDocument' | 'tailAudit'>;

export interface ReadTokenBook {
  readonly book: TokenBook;
  /** For writing over it: 0 where there is none yet. */
  readonly version: number;
}

/**
 * @param auditKey of this process; without it fingerprints are as another key may have made them
 * @throws StoreUnavailable; UnreadableBook
 */
export async function readTokenBook(store: Pick<Store, 'readDocument'>, auditKey?: Secret): Promise<ReadTokenBook> {
  const document = await store.readDocument(NAME);
  if (document === undefined) return { book: EMPTY_BOOK, version: 0 };
  const book = parseTokenBook(document.text);
  return { book: auditKey === undefined ? book : fitBook(book, auditKey), version: document.version };
}

/** For a command that writes over a record that cannot be read: all that it may have said is unknown then. */
export async function readAnyBook(store: Pick<Store, 'readDocument'>, auditKey: Secret): Promise<ReadTokenBook> {
  try {
    return await readTokenBook(store, auditKey);
  } catch (error) {
    if (!(error instanceof UnreadableBook)) throw error;
    const version = (await store.readDocument(NAME))?.version ?? 0;
    return { book: { ...EMPTY_BOOK, isLost: true }, version };
  }
}

/** @throws UnreadableBook */
export function parseTokenBook(text: string): TokenBook {
  const read = tokenBook.safeParse(parseJson(text));
  if (read.success) return read.data;
  throw new UnreadableBook(
    'the record of the rotated tokens in the store cannot be read: a newer release may have written it; start that one, or run "secrets rotate", which begins another record, or without API keys "secrets reset"',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** After the audit key was replaced: digests and marks need none, and fingerprints are made anew where they can be. */
export function fitBook(book: TokenBook, auditKey: Secret): TokenBook {
  const renamed = new Map(
    book.minted.map(({ digest, fingerprint: old }) => [old, fingerprintToken(auditKey, Buffer.from(digest, 'hex'))]),
  );
  const rename = (old: string): string => renamed.get(old) ?? old;
  const isForeign = renamed.size > 0 && [...renamed].every(([old, own]) => old !== own);
  if (!isForeign) return book;
  return {
    minted: book.minted.map((one) => ({ ...one, fingerprint: rename(one.fingerprint) })),
    // Of the others it cannot be told which tokens they were.
    retirements: book.retirements.filter(({ mark }) => mark !== null),
    rotation: book.rotation && { ...book.rotation, fingerprint: rename(book.rotation.fingerprint) },
    isLost: book.isLost || book.retirements.some(({ mark }) => mark === null),
  };
}

/** The tokens of the settings, in their order. Costs nothing while no token was ever retired. */
export function identifyTokens(
  { authentication, audit }: Pick<Settings, 'authentication' | 'audit'>,
  book: TokenBook,
): Promise<KnownToken[]> {
  return Promise.all(authentication.tokens.map((token) => identifyToken(token.reveal(), audit.key, book)));
}

export async function identifyToken(token: string, auditKey: Secret, book: TokenBook): Promise<KnownToken> {
  const nameOf = (digest: Buffer): Named => ({ fingerprint: fingerprintToken(auditKey, digest), digest });
  const [own, held] = [nameOf(digestToken(token)), digestsHeld(token).map(nameOf)];
  const marks = markingsOf(book).flatMap((one) => [own, ...held].map(({ digest }) => markToken(digest, one)));
  return { ...own, held, marks: await Promise.all(marks) };
}

function markingsOf({ retirements }: TokenBook): string[] {
  return [...new Set(retirements.flatMap(({ mark }) => (mark === null ? [] : markingOf(mark))))];
}

/** With a mark for each of these tokens that the book knows by its fingerprint alone, and for what each holds. */
export async function markRetirements(
  book: TokenBook,
  tokens: readonly Omit<KnownToken, 'marks'>[],
): Promise<TokenBook> {
  const marking = markingsOf(book)[0] ?? newMarking();
  const retirements: Retirement[] = [];
  for (const one of book.retirements) {
    const token = one.mark === null ? tokens.find(({ fingerprint: own }) => own === one.fingerprint) : undefined;
    for (const named of token === undefined ? [] : [token, ...token.held])
      retirements.push({ ...one, fingerprint: named.fingerprint, mark: await markToken(named.digest, marking) });
    if (token === undefined) retirements.push(one);
  }
  return retirements.every((one) => book.retirements.includes(one)) ? book : { ...book, retirements };
}

/** A retirement is for good: what this machine remembers counts though the store has lost it. */
export function withRetirements(book: TokenBook, remembered: readonly Retirement[]): TokenBook {
  const lacking = remembered.filter(
    (one) =>
      !book.retirements.some(
        ({ fingerprint: known, mark }) => known === one.fingerprint || (mark !== null && mark === one.mark),
      ),
  );
  return lacking.length === 0 ? book : { ...book, retirements: [...book.retirements, ...lacking] };
}

/** @throws Error where another process has written meanwhile */
export async function writeTokenBook(
  store: Pick<Store, 'writeDocument'>,
  book: TokenBook,
  version: number,
): Promise<number> {
  if (await store.writeDocument(NAME, JSON.stringify(book), version)) return version + 1;
  throw new Error('another process has changed the tokens at the same moment; run the command again');
}

/** Those that let somebody in at `now`. */
export function mintedTokensAt(book: TokenBook, now: number): MintedToken[] {
  return book.minted.filter(({ acceptUntil }) => acceptUntil === null || acceptUntil > now);
}

/** Whether a token lets nobody in any more at `now`. Once that was audited, no clock that is set back undoes it. */
export function isRetired(book: TokenBook, token: Recognisable, now: number): boolean {
  return retirementsOf(book, token).some(({ acceptUntil, isAudited }) => isAudited || acceptUntil <= now);
}

/** Whether a rotation has replaced a token, though it may be let in for some hours yet. */
export function isReplaced(book: TokenBook, token: Recognisable): boolean {
  return retirementsOf(book, token).length > 0;
}

/** Whether a token is to be replaced or has been, or may have been, so that nothing new should be given it. */
export function isLeaving(book: TokenBook, token: Recognisable): boolean {
  const made = book.minted.find(({ fingerprint: one }) => one === token.fingerprint);
  if (made !== undefined && made.acceptUntil !== null) return true;
  return isReplaced(book, token) || (book.isLost && made === undefined);
}

function retirementsOf(book: TokenBook, { fingerprint: own, held, marks }: Recognisable): Retirement[] {
  const names = new Set([own, ...held.map((one) => one.fingerprint)]);
  return book.retirements.filter(
    ({ fingerprint: one, mark }) => names.has(one) || (mark !== null && marks.includes(mark)),
  );
}

/**
 * What is over at `now`, taken out or marked, with the fingerprints that have to be audited as retired.
 *
 * Minted ones go for good; a retirement stays, because settings may hold its token still, or again.
 */
export function settleBook(book: TokenBook, now: number): { readonly book: TokenBook; readonly retired: string[] } {
  const over = book.minted.filter(({ acceptUntil }) => acceptUntil !== null && acceptUntil <= now);
  const due = book.retirements.filter(({ acceptUntil, isAudited }) => !isAudited && acceptUntil <= now);
  return {
    retired: [...new Set([...over, ...due].map(({ fingerprint: one }) => one))],
    book: {
      ...book,
      minted: mintedTokensAt(book, now),
      retirements: book.retirements.map((one) => (one.acceptUntil <= now ? { ...one, isAudited: true } : one)),
    },
  };
}
