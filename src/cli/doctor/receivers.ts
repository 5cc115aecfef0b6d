import { type LivePresence, livePresences } from '../../instantly/presence.ts';
import type { ReadableStore } from '../open-store.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { storeOf } from './context.ts';
import { showSpan } from './show-span.ts';

/** Milliseconds: a process tells of itself each minute. */
const FRESH_MS = 150_000;

/** The processes that say they serve on this store. */
export const receiversCheck: Check = {
  name: 'receivers',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const found = await findProcesses(storeOf(context));
    const silent = found.filter(({ ageMs }) => ageMs > FRESH_MS);
    const live = found.filter(({ ageMs }) => ageMs <= FRESH_MS);
    const findings: Finding[] = silent.map(({ owner, ageMs }) =>
      warn(
        `${owner} was last heard of ${showSpan(ageMs)} ago: it has crashed, or the store is away for it`,
        'look at its log',
      ),
    );
    return [...findings, ...judgeRoles(live.map(({ role }) => role))];
  },
};

function judgeRoles(roles: readonly LivePresence['role'][]): Finding[] {
  if (!roles.some(takesWebhooks)) {
    return [fail('none runs on this store: nothing is received', 'start it ("npm start")')];
  }
  if (roles.every((role) => role === 'receiver')) {
    return [warn('none runs handlers: all that run have the role receiver', 'start one with ROLE=worker')];
  }
  return [ok(`${roles.length} on this store (${roles.map((role) => `role ${role}`).join(', ')})`)];
}

/** Those that take webhooks on this store, or did a few minutes ago. */
export async function findReceivers(store: Pick<ReadableStore, 'listDocuments'>): Promise<LivePresence[]> {
  return (await findProcesses(store)).filter(({ role }) => takesWebhooks(role));
}

/** Whoever only looks forgets none of those that are gone. */
function findProcesses(store: Pick<ReadableStore, 'listDocuments'>): Promise<LivePresence[]> {
  return livePresences({
    listDocuments: (prefix, limit) => store.listDocuments(prefix, limit),
    dropDocument: async () => undefined,
  });
}

function takesWebhooks(role: LivePresence['role']): boolean {
  return role !== 'worker';
}
