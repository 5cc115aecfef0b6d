import { v7 as uuidv7 } from 'uuid';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Accept, DeliveryState, HandlerRoute } from '../../src/inbox/store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeBatch, makeOutcome } from '../contract/make-parts.ts';
import { storeFile } from './store-file.ts';

const MANY = 10_000;

/** The store of a folder, made there with its secrets where there is none, for a test to fill. */
export function openStore(folder: string): Promise<SqliteStore> {
  const settings = loadSettings({ env: {}, cwd: folder, create: true });
  return SqliteStore.open({
    file: storeFile(settings),
    writer: uuidv7(),
    auditKey: settings.audit.key.reveal(),
    serve: false,
  });
}

/** A handler of everything. */
export function handlerOf(handler: string): HandlerRoute {
  return { handler, events: ['*'], ordered: false };
}

/** Stores an event with one delivery for each handler named, brought to the state given. */
export async function addEvent(
  store: SqliteStore,
  accept: Accept,
  deliveries: Readonly<Record<string, DeliveryState>> = {},
): Promise<string> {
  const routes = Object.keys(deliveries).map((handler) => ({ handler, ordered: false }));
  const { accepted } = await store.commit(makeBatch({ accepts: [{ ...accept, routes }] }));
  const id = accepted[0]?.id ?? '';
  for (const [handler, state] of Object.entries(deliveries)) await bring(store, id, handler, state);
  return id;
}

/** Claims what is due for the handler, and gives back what belongs to other events. */
async function bring(store: SqliteStore, eventId: string, handler: string, state: DeliveryState): Promise<void> {
  if (state === 'pending') return;
  const now = Date.now();
  const claim = { now, places: [{ handler, limit: MANY }], lease: uuidv7(), leaseUntil: now + 60_000 };
  const { deliveries } = await store.claim(claim);
  const outcomes = deliveries.flatMap((delivery) => {
    if (delivery.eventId !== eventId) return [makeOutcome(delivery, { state: 'released' })];
    if (state === 'running') return [];
    return [makeOutcome(delivery, state === 'done' ? { state } : { state: 'dead', error: `${handler} gave up` })];
  });
  await store.commit(makeBatch({ outcomes }));
}
