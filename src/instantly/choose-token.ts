import { digestToken, fingerprintToken } from '../authenticate/index.ts';
import type { Settings } from '../config/settings.ts';
import type { Store } from '../inbox/store.ts';
import { digestOf, tokenOf } from './header-token.ts';
import { mintToken } from './mint-token.ts';
import type { Webhook } from './schemas.ts';
import {
  identifyTokens,
  isLeaving,
  mintedTokensAt,
  readAnyBook,
  type TokenBook,
  writeTokenBook,
} from './token-book.ts';

export interface ChosenToken {
  readonly token: string;
  readonly fingerprint: string;
  /** Where it comes from. */
  readonly origin: 'settings' | 'webhook' | 'minted';
}

export type TokenSettings = Pick<Settings, 'authentication' | 'audit'>;

/**
 * The token that a webhook is to carry: the current one. Of one that a rotation has made only Instantly holds the text, so it is
 * taken from a webhook of ours that carries it; where no text is to be had, another is made.
 *
 * @param own our webhooks at Instantly
 */
export async function chooseToken(
  store: Pick<Store, 'readDocument' | 'writeDocument'>,
  settings: TokenSettings,
  own: readonly Webhook[],
): Promise<ChosenToken> {
  const { book, version } = await readAnyBook(store, settings.audit.key);
  const known = (await findInSettings(settings, book)) ?? findInWebhooks(settings, book, own);
  if (known !== undefined) return known;
  const { token, entry } = mintToken(settings.audit.key, Date.now());
  await writeTokenBook(store, { ...book, minted: [...book.minted, entry] }, version);
  return { token, fingerprint: entry.fingerprint, origin: 'minted' };
}

async function findInSettings(settings: TokenSettings, book: TokenBook): Promise<ChosenToken | undefined> {
  const known = await identifyTokens(settings, book);
  for (const [index, secret] of settings.authentication.tokens.entries()) {
    const token = secret.reveal();
    const one = known[index];
    // Senders differ in the bytes that a header carries beyond ASCII, and nobody has said what Instantly does.
    if (one === undefined || !/^[\x20-\x7e]+$/.test(token)) continue;
    if (!isLeaving(book, one)) return { token, fingerprint: one.fingerprint, origin: 'settings' };
  }
  return undefined;
}

function findInWebhooks(
  { authentication, audit }: TokenSettings,
  book: TokenBook,
  own: readonly Webhook[],
): ChosenToken | undefined {
  const header = authentication.tokenHeader;
  const current = mintedTokensAt(book, Date.now()).filter(({ acceptUntil }) => acceptUntil === null);
  for (const webhook of own) {
    const token = tokenOf(webhook, header);
    const digest = digestOf(webhook, header)?.toString('hex');
    if (token === undefined || !current.some((one) => one.digest === digest)) continue;
    return { token, fingerprint: fingerprintToken(audit.key, digestToken(token)), origin: 'webhook' };
  }
  return undefined;
}
