import { existsSync } from 'node:fs';
import type { ExaminedSettings } from '../../config/examine-settings.ts';
import type { Settings } from '../../config/settings.ts';
import { storeLocation } from '../../config/store-location.ts';
import { SettingsError } from '../../errors/problem.ts';
import type { Store } from '../../inbox/store.ts';
import { KEYS_PAGE } from '../../instantly/api-error.ts';
import { openAccounts } from '../../instantly/open-accounts.ts';
import { operateStore, operatorId, type ReadableStore, readStore, recordAction } from '../open-store.ts';
import { fail, Skipped } from './check.ts';
import type { ClosedStore, Context, OpenedStore } from './context.ts';
import { InstantlyLook } from './look-at-instantly.ts';
import { splitFault } from './split-fault.ts';

/** Milliseconds for the store to open. */
const OPEN_MS = 12_000;
/** Milliseconds for all that is asked of Instantly. */
const ASK_MS = 20_000;

const UNAUDITED = 'calls of the API could not be written to the audit log, so none is made';

type Opened = Pick<Context, 'opened' | 'instantly'>;

/** Opens what the checks look into as far as it can be opened, and closes it again. `work` must not reject for a fault of it. */
export async function withOpened<T>(
  { settings, leftOut }: ExaminedSettings,
  signal: AbortSignal,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  if (settings === undefined) {
    return work(closed({ skipped: new Skipped('the settings cannot be used', 'mend what the lines "settings" name') }));
  }
  if (leftOut.has('DATABASE_URL')) {
    return work(
      closed({ skipped: new Skipped('it goes by DATABASE_URL, which cannot be used', 'correct DATABASE_URL') }),
    );
  }
  const { store: place } = settings;
  if (place.kind === 'sqlite' && !existsSync(place.file)) {
    return work(closed({ skipped: new Skipped(`there is no store at ${place.file} yet`, 'start the receiver once') }));
  }
  const operated = await attempt(
    (inner: (store: Store) => Promise<void>) => operateStore(settings, inner),
    async (store) => work({ opened: { store, keyFault: null }, instantly: await askBy(settings, store, signal) }),
  );
  if ('result' in operated) return operated.result;
  // Where it is for the audit key alone, everything but the API can still be looked at.
  const read = await attempt(
    (inner: (store: ReadableStore) => Promise<void>) => readStore(settings, inner),
    (store) => work(unaudited(store, operated.fault)),
  );
  if ('result' in read) return read.result;
  return work(closed(unopened(settings, read.fault)));
}

/**
 * Runs `work` on a store once it is open; gives what kept it from being opened.
 *
 * @throws what `work` throws
 */
async function attempt<Opening, T>(
  open: (inner: (store: Opening) => Promise<void>) => Promise<void>,
  work: (store: Opening) => Promise<T>,
): Promise<{ readonly result: T } | { readonly fault: unknown }> {
  let ended: { readonly result: T } | { readonly thrown: unknown } | undefined;
  let isLate = false;
  const began = Promise.withResolvers<void>();
  const opening = open(async (store) => {
    if (isLate) return;
    began.resolve();
    ended = await work(store).then(
      (result) => ({ result }),
      (thrown: unknown) => ({ thrown }),
    );
  });
  const timer = setTimeout(() => {
    isLate = true;
    began.reject(new Error(`it did not open within ${OPEN_MS / 1_000} s`));
  }, OPEN_MS);
  try {
    await Promise.race([began.promise, opening]);
    clearTimeout(timer);
    await opening;
  } catch (error) {
    // A store that cannot be closed changes nothing of what was found.
    if (ended === undefined) return { fault: error };
  } finally {
    clearTimeout(timer);
    began.promise.catch(() => undefined);
    opening.catch(() => undefined);
  }
  if (ended === undefined) return { fault: new Error('it ended while it was being opened') };
  if ('thrown' in ended) throw ended.thrown;
  return ended;
}

/** Every call is written to the audit log before its answer is used. */
async function askBy({ instantly }: Settings, store: Store, signal: AbortSignal): Promise<InstantlyLook | Skipped> {
  const { reader } = openAccounts({ ...instantly, writeKey: undefined }, operatorId(), async (entry) => {
    await recordAction(store, entry);
  });
  if (reader === undefined) {
    return new Skipped('there is no API key for reading', `make one at ${KEYS_PAGE} and set INSTANTLY_READ_KEY to it`);
  }
  const canCommit = await store.check().then(
    () => true,
    () => false,
  );
  if (!canCommit) return new Skipped(UNAUDITED, 'mend what the line "store" names');
  return new InstantlyLook(reader, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]));
}

function unaudited(store: ReadableStore, fault: unknown): Opened {
  const { found, fix } = splitFault(messageOf(fault), 'mend what keeps the audit log from being written');
  const opened: OpenedStore = { store, keyFault: fail(found, fix) };
  return { opened, instantly: new Skipped(UNAUDITED, 'mend what the line "audit log" names') };
}

function unopened(settings: Settings, fault: unknown): ClosedStore {
  const { found, fix } = splitFault(messageOf(fault), 'check that it runs, and that this machine reaches it');
  return {
    skipped: new Skipped('the store cannot be opened', 'mend what the line "store" names'),
    fault: fail(`${storeLocation(settings.store)} cannot be opened: ${found}`, fix),
  };
}

function closed(store: ClosedStore): Opened {
  return { opened: store, instantly: store.skipped };
}

function messageOf(fault: unknown): string {
  if (fault instanceof SettingsError) return fault.faults.join(' ');
  return fault instanceof Error ? fault.message : String(fault);
}
