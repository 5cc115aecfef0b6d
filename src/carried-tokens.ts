import type { Logger } from 'pino';
import type { Settings } from './config/settings.ts';
import type { AuditTrail } from './inbox/audit-trail.ts';
import { identifyToken, type KnownToken, type TokenBook } from './instantly/token-book.ts';

/** Milliseconds between two questions, and for an answer: the start waits for the first. */
const ASK_MS = 30_000;
const ASK_LIMIT_MS = 5_000;
/** One that can be guessed proves nothing, whoever has set it at Instantly. */
const LEAST_CHARACTERS = 16;

/** Asks Instantly which tokens our webhooks carry, for as long as no record tells which are current. */
export function carriedTokens(
  settings: () => Settings,
  record: AuditTrail['record'],
  logger: Pick<Logger, 'warn'>,
): (book: TokenBook) => Promise<readonly KnownToken[] | undefined> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let known: readonly string[] | undefined;
  return async (book) => {
    if (performance.now() - askedAt > ASK_MS) {
      askedAt = performance.now();
      known =
        (await ask(settings(), record).catch((error: unknown) => {
          logger.warn({ err: error }, 'Instantly could not be asked which token its webhooks carry');
          return undefined;
        })) ?? known;
    }
    return known && identifyCarried(known, settings(), book);
  };
}

/** Those that can be believed. */
export function identifyCarried(
  texts: readonly string[],
  { audit }: Pick<Settings, 'audit'>,
  book: TokenBook,
): Promise<KnownToken[]> {
  const usable = texts.filter((token) => token.length >= LEAST_CHARACTERS);
  return Promise.all(usable.map((token) => identifyToken(token, audit.key, book)));
}

/** `undefined`: there is no key to ask with, or no address to know our webhooks by. */
async function ask(
  { instantly, authentication }: Settings,
  record: AuditTrail['record'],
): Promise<string[] | undefined> {
  const { webhookUrl } = instantly;
  if (webhookUrl === undefined || instantly.readKey === undefined) return undefined;
  const [{ openAccounts }, { ownWebhooks }, { candidatesOf }] = await Promise.all([
    import('./instantly/open-accounts.ts'),
    import('./instantly/register-webhook.ts'),
    import('./instantly/header-token.ts'),
  ]);
  const { reader } = openAccounts({ ...instantly, writeKey: undefined }, 'service', (entry) => {
    record(entry);
  });
  const all = await reader?.webhooks(AbortSignal.timeout(ASK_LIMIT_MS));
  return all && ownWebhooks(all, webhookUrl).flatMap((one) => candidatesOf(one, authentication.tokenHeader));
}
