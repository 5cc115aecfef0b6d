import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { deriveAuditKey, hashOf } from '../audit/chain.ts';
import type { AuditDraft, ChainHead } from '../audit/entry.ts';
import { draft } from '../audit/make-draft.ts';
import { newId } from '../audit/new-id.ts';
import { loadSettings } from '../config/load-settings.ts';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import type { Store } from '../inbox/store.ts';
import { SqliteStore } from '../stores/sqlite/sqlite-store.ts';

/** What can be done without the key of the audit chain, because it writes nothing. */
export type ReadableStore = Pick<
  Store,
  'listEvents' | 'findEvent' | 'listDead' | 'counts' | 'listQuarantine' | 'findQuarantined' | 'registeredHandlers'
> &
  Pick<Store, 'openAuditSnapshot' | 'tailAudit' | 'onForeignChange'>;

/** Entries looked at to tell whether the key is that of the log. */
const NEWEST = 50;

/** The settings of a command: it makes no folder and no secret. */
export function commandSettings(): Settings {
  return loadSettings({ env: process.env, cwd: process.cwd(), create: false });
}

/** Opens the store for reading and closes it whichever way `work` ends. */
export function readStore<T>(settings: Settings, work: (store: ReadableStore) => Promise<T>): Promise<T> {
  // Nothing is sealed with it: `ReadableStore` has no way to write.
  return withStore(settings, () => randomBytes(32).toString('hex'), work);
}

/**
 * Opens the store for what an operator changes or what has to be audited, and closes it whichever way `work` ends.
 *
 * @throws SettingsError where the audit key is missing or is not the one the log is written with
 */
export function operateStore<T>(settings: Settings, work: (store: Store) => Promise<T>): Promise<T> {
  return withStore(
    settings,
    () => settings.audit.key.reveal(),
    async (store) => {
      await refuseForeignKey(store, settings);
      return work(store);
    },
  );
}

async function withStore<T>(
  settings: Settings,
  auditKey: () => string,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { file } = settings.store;
  if (!existsSync(file)) {
    throw new Error(
      `there is no store at ${file} yet; start the receiver once from this folder, or set DATABASE_URL to where its file lies`,
    );
  }
  // What lies beside the file and what is made from it is personal: for this user alone.
  process.umask(0o077);
  const store = await SqliteStore.open({ file, writer: newId(), auditKey: auditKey(), serve: false });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** An entry sealed with another key would look like tampering for as long as the log is kept. */
async function refuseForeignKey(store: Store, settings: Settings): Promise<void> {
  const { entries } = await store.tailAudit(NEWEST);
  const key = deriveAuditKey(settings.audit.key);
  if (entries.length === 0 || entries.some((entry) => hashOf(entry, key) === entry.hash)) return;
  throw new SettingsError([
    `AUDIT_KEY is not the key with which the audit log in ${settings.store.file} is written; give this command the one that the receiver runs with`,
  ]);
}

/** An entry for what the person at the command line does. */
export function operatorDraft(
  action: string,
  metadata: Parameters<typeof draft>[0]['metadata'] = {},
  result: AuditDraft['result'] = 'success',
): AuditDraft {
  const [resource = action] = action.split('.');
  return draft({ action, userId: 'operator', resource, result, metadata, at: Date.now() });
}

/** Writes an entry; before anything is shown, so that nothing is seen without one. Gives this command's chain. */
export async function recordAction(store: Store, entry: AuditDraft): Promise<ChainHead> {
  const { head } = await store.commit({ accepts: [], quarantines: [], outcomes: [], audits: [entry] });
  return head;
}
