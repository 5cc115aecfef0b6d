import type { Logger } from 'pino';
import { deriveAuditKey } from './audit/chain.ts';
import { newId } from './audit/new-id.ts';
import type { Settings } from './config/settings.ts';
import { SettingsError } from './errors/problem.ts';
import type { Store } from './inbox/store.ts';
import type { PostgresStore } from './stores/postgres/postgres-store.ts';
import { refuseForeignKey } from './stores/refuse-foreign-key.ts';
import type { SpillChange } from './stores/spill/intake.ts';
import type { StoreFault } from './stores/spill/spilling-store.ts';
import { SqliteStore } from './stores/sqlite/sqlite-store.ts';

type PostgresSettings = Extract<Settings['store'], { readonly kind: 'postgres' }>;

export interface ServingStore {
  readonly store: Store;
  /** Commits that it bears at once. */
  readonly maxInFlight: number;
  /** Events that are on this machine's disk alone. */
  readonly spilledEvents: () => number;
  /** Of a store whose commits go elsewhere meanwhile; others show theirs when they are asked. */
  readonly fault?: () => StoreFault | undefined;
}

/**
 * The store of a serving process. A PostgreSQL server that is away does not keep a receiver from starting: it has its spill.
 *
 * @throws SettingsError
 */
export async function openServingStore(settings: Settings, logger: Logger): Promise<ServingStore> {
  const { store, audit } = settings;
  const auditKey = audit.key.reveal();
  if (store.kind === 'sqlite') {
    const opening = { file: store.file, writer: newId(), auditKey, serve: true };
    const sqlite = await SqliteStore.open(opening, {
      onUpgrade: () =>
        logger.warn('the store is of an earlier release and is being brought up to this one, which may take a minute'),
      onWait: (holder) =>
        logger.warn(`another receiver${holder} serves from ${store.file}: waiting for it to stop, 15 s at the most`),
    });
    try {
      await refuseForeignKey(sqlite, deriveAuditKey(audit.key), store.file);
      await sqlite.checkLog();
    } catch (error) {
      await sqlite.close();
      throw error;
    }
    return { store: sqlite, maxInFlight: 1, spilledEvents: () => 0 };
  }
  return openPostgres(store, settings, logger);
}

async function openPostgres(
  { url, location, spill }: PostgresSettings,
  settings: Settings,
  logger: Logger,
): Promise<ServingStore> {
  // Here and not above: who stores in a file need not wait for what they do not use.
  const [{ COMMIT_LANES, PostgresStore }, { SpillingStore }] = await Promise.all([
    import('./stores/postgres/postgres-store.ts'),
    import('./stores/spill/spilling-store.ts'),
  ]);
  const auditKey = settings.audit.key.reveal();
  const primary = PostgresStore.open({ url: url.reveal(), location, auditKey, serve: true });
  try {
    await tryPostgres(primary, logger);
    if (settings.role === 'worker') return { store: primary, maxInFlight: COMMIT_LANES, spilledEvents: () => 0 };
    const spilling = await SpillingStore.open({
      primary,
      ...spill,
      auditKey,
      onChange: (change) => tell(logger, change),
      onRefused: (_, error) =>
        logger.error(
          { err: error, spill: spill.file },
          'PostgreSQL refuses a row of the spill: the bytes of an event are in quarantine then, anything else is in the table laid_aside of the spill',
        ),
    });
    return {
      store: spilling,
      maxInFlight: COMMIT_LANES,
      spilledEvents: () => spilling.spilledEvents,
      fault: () => spilling.fault,
    };
  } catch (error) {
    await primary.close();
    throw error;
  }
}

async function tryPostgres(primary: PostgresStore, logger: Logger): Promise<void> {
  try {
    await primary.connected();
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    logger.error(
      { err: error },
      'PostgreSQL is away at the start; it is used as soon as it answers. Where it runs, check the host and the port in DATABASE_URL',
    );
  }
}

function tell(logger: Logger, { state, reason, lasting }: SpillChange): void {
  if (state === 'direct') logger.info('PostgreSQL has everything again: the spill is empty');
  else if (lasting !== undefined)
    logger.error(
      { reason, fix: lasting.fix },
      `${lasting.what}, which waiting does not fix: events go to the spill on this machine, and no handler runs`,
    );
  else if (state === 'spilling') logger.error({ reason }, 'PostgreSQL is away: events go to the spill on this machine');
  else logger.info('PostgreSQL answers again: the spill is being moved there');
}
