import { z } from 'zod';
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

/** A token of the settings that a rotation has replaced. The settings need not change for it to let nobody in. */
const retirement = z.object({ fingerprint, acceptUntil: time, isAudited: z.boolean() });

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
});
export type TokenBook = z.output<typeof tokenBook>;

export const EMPTY_BOOK: TokenBook = { minted: [], retirements: [], rotation: null };

/** What gives webhooks their token needs no more of the store. */
export type TokenStore = Pick<Store, 'readDocument' | 'writeDocument' | 'listDocuments' | 'dropDocument' | 'tailAudit'>;

export interface ReadTokenBook {
  readonly book: TokenBook;
  /** For writing over it: 0 where there is none yet. */
  readonly version: number;
}

/** @throws StoreUnavailable; Error where the document is not one that this release can read */
export async function readTokenBook(store: Pick<Store, 'readDocument'>): Promise<ReadTokenBook> {
  const document = await store.readDocument(NAME);
  if (document === undefined) return { book: EMPTY_BOOK, version: 0 };
  return { book: parseTokenBook(document.text), version: document.version };
}

/** @throws Error where it is not one that this release can read */
export function parseTokenBook(text: string): TokenBook {
  const read = tokenBook.safeParse(JSON.parse(text));
  if (read.success) return read.data;
  throw new Error('the record of the rotated tokens in the store cannot be read: a newer release may have written it');
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

/** Whether a token of the settings lets nobody in any more at `now`. */
export function isRetired(book: TokenBook, fingerprintOfToken: string, now: number): boolean {
  return book.retirements.some(({ fingerprint: one, acceptUntil }) => one === fingerprintOfToken && acceptUntil <= now);
}

/** Whether a token is to be replaced or has been, so that nothing new should be given it. */
export function isLeaving(book: TokenBook, fingerprintOfToken: string): boolean {
  return (
    book.retirements.some(({ fingerprint: one }) => one === fingerprintOfToken) ||
    book.minted.some(({ fingerprint: one, acceptUntil }) => one === fingerprintOfToken && acceptUntil !== null)
  );
}

/**
 * What is over at `now`, taken out or marked, with the fingerprints that have to be audited as retired.
 *
 * Minted ones go for good; a retirement stays, because the settings still hold its token.
 */
export function settleBook(book: TokenBook, now: number): { readonly book: TokenBook; readonly retired: string[] } {
  const over = book.minted.filter(({ acceptUntil }) => acceptUntil !== null && acceptUntil <= now);
  const due = book.retirements.filter(({ acceptUntil, isAudited }) => !isAudited && acceptUntil <= now);
  return {
    retired: [...over, ...due].map(({ fingerprint: one }) => one),
    book: {
      ...book,
      minted: mintedTokensAt(book, now),
      retirements: book.retirements.map((one) => (one.acceptUntil <= now ? { ...one, isAudited: true } : one)),
    },
  };
}
