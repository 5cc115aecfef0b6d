import { mintedTokensAt, readTokenBook } from '../../instantly/token-book.ts';
import { type Check, type Finding, ok, warn } from './check.ts';
import { storeOf } from './context.ts';
import { showSpan } from './show-span.ts';

/** Milliseconds in which one is over that goes well. */
const UNDER_WAY_MS = 10 * 60_000;

/** Whether a rotation of the token has stopped half way. */
export const rotationCheck: Check = {
  name: 'rotation',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const { book } = await readTokenBook(storeOf(context));
    const now = Date.now();
    if (book.rotation !== null) return [underWay(now - book.rotation.startedAt, book.rotation.startedAt)];
    const ending = [
      ...mintedTokensAt(book, now).flatMap(({ acceptUntil }) => acceptUntil ?? []),
      ...book.retirements.flatMap(({ acceptUntil }) => (acceptUntil > now ? acceptUntil : [])),
    ];
    if (ending.length === 0) return [ok('none is under way')];
    return [
      ok(
        `none is under way; what the last one replaced is let in until ${new Date(Math.max(...ending)).toISOString()}`,
      ),
    ];
  },
};

function underWay(age: number, startedAt: number): Finding {
  const since = `one has been under way since ${new Date(startedAt).toISOString()}`;
  if (age < UNDER_WAY_MS) return ok(since);
  return warn(
    `${since}, for ${showSpan(age)}: it has stopped half way, and refuses nothing`,
    'run "secrets rotate" again',
  );
}
