import type { Settings } from '../../config/settings.ts';
import {
  identifyTokens,
  isReplaced,
  mintedTokensAt,
  readTokenBook,
  type TokenBook,
} from '../../instantly/token-book.ts';
import { tokenHome } from '../secrets-in-use.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { settingsOf, storeOf } from './context.ts';
import { showSpan } from './show-span.ts';

/** Milliseconds in which one is over that goes well. */
const UNDER_WAY_MS = 10 * 60_000;

/** Whether a rotation of the token has stopped half way, and whether the settings still hold what one has replaced. */
export const rotationCheck: Check = {
  name: 'rotation',
  needs: ['DATABASE_URL', 'INSTANTLY_WEBHOOK_TOKEN', 'AUDIT_KEY'],
  run: async (context) => {
    const settings = settingsOf(context);
    // Where there is none, reading it throws.
    const key = 'AUDIT_KEY' in settings.secretOrigins ? settings.audit.key : undefined;
    const { book } = await readTokenBook(storeOf(context), key);
    return [judgeProgress(book), ...(key === undefined ? [] : await judgeSettings(settings, book))];
  },
};

function judgeProgress(book: TokenBook): Finding {
  const now = Date.now();
  if (book.rotation !== null) return underWay(now - book.rotation.startedAt, book.rotation.startedAt);
  const ending = [
    ...mintedTokensAt(book, now).flatMap(({ acceptUntil }) => acceptUntil ?? []),
    ...book.retirements.flatMap(({ acceptUntil }) => (acceptUntil > now ? acceptUntil : [])),
  ];
  if (ending.length === 0) return ok('none is under way');
  return ok(
    `none is under way; what the last one replaced is let in until ${new Date(Math.max(...ending)).toISOString()}`,
  );
}

async function judgeSettings(settings: Settings, book: TokenBook): Promise<Finding[]> {
  if (book.isLost)
    return [
      fail(
        'which tokens were retired is not known: an earlier record could not be read, so the tokens of INSTANTLY_WEBHOOK_TOKEN are let in only where Instantly carries them',
        'run "secrets rotate"; without API keys see that the setting holds new tokens alone, and run "secrets reset"',
      ),
    ];
  const tokens = await identifyTokens(settings, book);
  const replaced = tokens.flatMap((token, index) => (isReplaced(book, token) ? [index + 1] : []));
  if (replaced.length === 0) return [];
  const where = tokenHome(settings)?.path ?? 'the environment, where that is set,';
  return [
    warn(
      `INSTANTLY_WEBHOOK_TOKEN holds a retired token at position ${replaced.join(' and ')}: a store that is lost or new would let it in`,
      `take it out of ${where} and restart; where a token is needed there, choose a new one ("secrets rotate")`,
    ),
  ];
}

function underWay(age: number, startedAt: number): Finding {
  const since = `one has been under way since ${new Date(startedAt).toISOString()}`;
  if (age < UNDER_WAY_MS) return ok(since);
  return warn(
    `${since}, for ${showSpan(age)}: it has stopped half way, and refuses nothing`,
    'run "secrets rotate" again',
  );
}
