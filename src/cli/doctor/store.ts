import type { StoreSettings } from '../../config/settings.ts';
import { storeLocation } from '../../config/store-location.ts';
import type { ReadableStore } from '../open-store.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { openedOf, settingsOf, storeOf } from './context.ts';

/** Major versions of PostgreSQL that the receiver is tried on. */
const OLDEST = 15;
const NEWEST = 18;

/** Whether events can be written where they lie. */
export const storeCheck: Check = {
  name: 'store',
  needs: ['DATABASE_URL'],
  run: async (context) => {
    const { opened } = context;
    if ('fault' in opened && opened.fault !== undefined) return [opened.fault];
    const { store: place } = settingsOf(context);
    const written = await checkWritable(storeOf(context), place);
    return place.kind === 'postgres' ? [written, await checkVersion(place.url.reveal())] : [written];
  },
};

/** Whether the audit log can be written with the key at hand. */
export const auditLogCheck: Check = {
  name: 'audit log',
  needs: ['DATABASE_URL', 'AUDIT_KEY'],
  run: (context) => {
    const { keyFault } = openedOf(context);
    return [keyFault ?? ok('AUDIT_KEY is the key that seals it; "audit verify" proves that nothing in it was changed')];
  },
};

async function checkWritable(store: ReadableStore, place: StoreSettings): Promise<Finding> {
  const location = storeLocation(place);
  try {
    await store.check();
    return ok(`${location} can be written`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(
      `${location} cannot be written: ${why}`,
      place.kind === 'postgres'
        ? 'look at the server; until then events go to the spill'
        : 'look at the disk, and at whose file it is; until then deliveries are answered 503',
    );
  }
}

async function checkVersion(url: string): Promise<Finding> {
  // Here and not above: who stores in a file need not wait for what they do not use.
  const { connect, endConnection } = await import('../../stores/postgres/connect.ts');
  const client = await connect({ url });
  try {
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    return judgeVersion(Number(rows[0]?.server_version_num));
  } finally {
    await endConnection(client);
  }
}

/** @param number `180004` is 18.4 */
export function judgeVersion(number: number): Finding {
  const major = Math.floor(number / 10_000);
  const range = `it is tried on ${OLDEST} to ${NEWEST}`;
  if (major < OLDEST) return fail(`PostgreSQL ${major} is too old: ${range}`, `update the server to ${NEWEST}`);
  if (major > NEWEST) return warn(`PostgreSQL ${major} is newer than what is known: ${range}`, 'update the receiver');
  return ok(`PostgreSQL ${major}`);
}
