import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { deriveAuditKey } from '../audit/chain.ts';
import type { AuditDraft, ChainHead } from '../audit/entry.ts';
import { draft } from '../audit/make-draft.ts';
import { newId } from '../audit/new-id.ts';
import { loadSettings } from '../config/load-settings.ts';
import { operatorName } from '../config/operator-name.ts';
import type { Settings } from '../config/settings.ts';
import { storeLocation } from '../config/store-location.ts';
import type { Store } from '../inbox/store.ts';
import type { PostgresStore } from '../stores/postgres/postgres-store.ts';
import { refuseForeignKey } from '../stores/refuse-foreign-key.ts';
import { SqliteStore } from '../stores/sqlite/sqlite-store.ts';

type PostgresSettings = Extract<Settings['store'], { readonly kind: 'postgres' }>;

/** What can be done without the key of the audit chain, because it writes nothing. */
export type ReadableStore = Pick<
  Store,
  | 'listEvents'
  | 'findEvent'
  | 'listDead'
  | 'counts'
  | 'orphans'
  | 'listQuarantine'
  | 'findQuarantined'
  | 'registeredHandlers'
> &
  Pick<Store, 'openAuditSnapshot' | 'tailAudit' | 'onForeignChange' | 'readDocument' | 'listDocuments' | 'findByKeys'> &
  // A transaction that writes nothing of worth.
  Pick<Store, 'check' | 'findFirstSeen'>;

/** A process runs one command: its settings say who runs it. */
const command: { operator: string | undefined } = { operator: undefined };

/** The settings of a command: it makes no folder and no secret. */
export function commandSettings(): Settings {
  const settings = loadSettings({ env: process.env, cwd: process.cwd(), create: false });
  command.operator = settings.operator;
  return settings;
}

/** The `userId` of a command's entries. */
export function operatorId(): string {
  command.operator ??= operatorName(process.env['OPERATOR']);
  return `operator:${command.operator}`;
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
      await refuseForeignKey(store, deriveAuditKey(settings.audit.key), storeLocation(settings.store));
      return work(store);
    },
  );
}

async function withStore<T>(
  settings: Settings,
  auditKey: () => string,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { store: chosen } = settings;
  // What is made from a store is personal, and so is what lies beside its file: for this user alone.
  process.umask(0o077);
  const store =
    chosen.kind === 'postgres' ? await openPostgres(chosen, auditKey()) : await openSqlite(chosen.file, auditKey);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** @throws StoreUnavailable where its server is away now; SettingsError where it cannot be used */
export async function openPostgres(store: PostgresSettings, auditKey: string): Promise<PostgresStore> {
  // Here and not above: most commands need no PostgreSQL.
  const { PostgresStore } = await import('../stores/postgres/postgres-store.ts');
  const opened = PostgresStore.open({ url: store.url.reveal(), location: store.location, auditKey, serve: false });
  try {
    await opened.connected();
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** @throws Error where there is no store yet, which is to be said before that there is no key either */
function openSqlite(file: string, auditKey: () => string): Promise<SqliteStore> {
  if (!existsSync(file)) {
    throw new Error(
      `there is no store at ${file} yet; start the receiver once from this folder, or set DATABASE_URL to where its file lies`,
    );
  }
  return SqliteStore.open({ file, writer: newId(), auditKey: auditKey(), serve: false });
}

/** An entry for what the person at the command line does. */
export function operatorDraft(
  action: string,
  metadata: Parameters<typeof draft>[0]['metadata'] = {},
  result: AuditDraft['result'] = 'success',
): AuditDraft {
  const [resource = action] = action.split('.');
  return draft({ action, userId: operatorId(), resource, result, metadata, at: Date.now() });
}

/** Writes an entry; before anything is shown, so that nothing is seen without one. Gives this command's chain. */
export async function recordAction(store: Store, entry: AuditDraft): Promise<ChainHead> {
  const { head } = await store.commit({ accepts: [], quarantines: [], outcomes: [], audits: [entry] });
  return head;
}
