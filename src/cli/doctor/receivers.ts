import { type LivePresence, livePresences } from '../../instantly/presence.ts';
import type { ReadableStore } from '../open-store.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { storeOf } from './context.ts';
import { showSpan } from './show-span.ts';

/** Milliseconds: a receiver tells of itself each minute. */
const FRESH_MS = 150_000;

/** Those that say they serve on this store. Workers do not tell of themselves. */
export const receiversCheck: Check = {
  name: 'receivers',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const found = await findReceivers(storeOf(context));
    const silent = found.filter(({ ageMs }) => ageMs > FRESH_MS);
    const live = found.filter(({ ageMs }) => ageMs <= FRESH_MS);
    const findings: Finding[] = silent.map(({ owner, ageMs }) =>
      warn(
        `${owner} was last heard of ${showSpan(ageMs)} ago: it has crashed, or the store is away for it`,
        'look at its log',
      ),
    );
    if (live.length === 0)
      findings.push(fail('none runs on this store: nothing is received', 'start it ("npm start")'));
    else findings.push(ok(`${live.length} on this store (${live.map(({ role }) => `role ${role}`).join(', ')})`));
    return findings;
  },
};

/** Takes webhooks on this store, or did a few minutes ago. Whoever only looks forgets none of those that are gone. */
export async function findReceivers(store: Pick<ReadableStore, 'listDocuments'>): Promise<LivePresence[]> {
  const found = await livePresences({
    listDocuments: (prefix, limit) => store.listDocuments(prefix, limit),
    dropDocument: async () => undefined,
  });
  return found.filter(({ role }) => role !== 'worker');
}
