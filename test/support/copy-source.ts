import { v7 as uuidv7 } from 'uuid';
import type { Accept, DeliveryOutcome } from '../../src/inbox/store.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch, makeOutcome, makeQuarantine } from '../contract/make-parts.ts';
import { openStore } from './make-store.ts';

export const HANDLERS = [
  { handler: 'crm', events: ['*'], ordered: true },
  { handler: 'tell', events: ['reply_received', 'ünusual "label"'], ordered: false },
];
/** What the service keeps for itself; the names are such that nobody but bytes puts them in order. */
export const DOCUMENTS = [
  'token:digest',
  'token:Ärger',
  'Token',
  'presence',
  'cursor:\uffee',
  'cursor:\u{1f600}',
  'full',
];
const LEADS = 700;
const DAY = 86_400_000;

/** Fills the store of a folder with what a store can hold, under several chains. Gives the content of each event. */
export async function fillStore(folder: string, events: number): Promise<string[]> {
  const contents = Array.from({ length: events }, (_, n) => `{"n":${n},"text":"${'ü\u0000'.repeat(n % 9)}"}`);
  await using(folder, async (store) => {
    await store.registerHandlers(HANDLERS);
    await store.firstSeen(['one', 'Two', 'três'], 1_700_000_000_000);
    await keepDocuments(store);
    for (let from = 0; from < events; from += 500) {
      const accepts = contents.slice(from, from + 500).map((content, n) => routed(content, from + n));
      await store.commit(makeBatch({ accepts }));
    }
  });
  await using(folder, attempt);
  await using(folder, async (store) => {
    await quarantine(store);
    // The same content once its time is over: the key goes to the later one.
    const now = Date.now();
    const past = { content: 'once and again', timestamp: null };
    await store.commit(makeBatch({ accepts: [makeAccept({ ...past, receivedAt: now - DAY, dedupUntil: now - 1 })] }));
    await store.commit(makeBatch({ accepts: [makeAccept(past)] }));
    const { filter, only, audit } = {
      filter: { limit: 3 },
      only: 'finished' as const,
      audit: makeAccept().audit.draft,
    };
    await store.replay({ filter, only, audit, now });
  });
  return contents;
}

async function keepDocuments(store: SqliteStore): Promise<void> {
  for (const name of DOCUMENTS) await store.writeDocument(name, `{"of":"${name}","text":"ü'\\\n"}`, 0);
  await store.writeDocument('cursor:\uffee', '', 1);
  await store.writeDocument('full', 'x'.repeat(64 * 1024), 1);
  await store.writeDocument('full', 'ü'.repeat(32 * 1024), 2);
  // Of processes that were alive when it was written.
  for (const name of ['presence:', 'presence:one', 'presence:\u{1f600}']) await store.writeDocument(name, '{}', 0);
}

async function using(folder: string, work: (store: SqliteStore) => Promise<void>): Promise<void> {
  const store = await openStore(folder);
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

function routed(content: string, n: number): Accept {
  // No text column of PostgreSQL takes a NUL.
  const lead = n % 11 === 0 ? null : `lead${n % LEADS}@exämple.org${n % 13 === 0 ? '\u0000' : ''}`;
  const timestamp = n % 7 === 0 ? null : 1_700_000_000_000 + n;
  return {
    ...makeAccept({ content, lead, timestamp, type: n % 5 === 0 ? 'a label' : 'reply_received' }),
    routes: HANDLERS,
  };
}

/** Deliveries of every state; some run still, as after a kill. */
async function attempt(store: SqliteStore): Promise<void> {
  const now = Date.now();
  const places = HANDLERS.map(({ handler }) => ({ handler, limit: 500 }));
  const { deliveries } = await store.claim({ now, places, lease: uuidv7(), leaseUntil: now + DAY });
  const ends: (DeliveryOutcome['next'] | undefined)[] = [
    undefined,
    { state: 'dead', error: 'gave up\u0000' },
    { state: 'pending', error: 'again later', retryAt: now + DAY, holdMs: DAY },
    { state: 'released' },
  ];
  const outcomes = deliveries.flatMap((delivery, n) => {
    const next = n < 80 ? ends[n % ends.length] : ({ state: 'done' } as const);
    return next === undefined ? [] : [makeOutcome(delivery, next)];
  });
  await store.commit(makeBatch({ outcomes }));
}

async function quarantine(store: SqliteStore): Promise<void> {
  const bodies = ['{"cut', '[1]', 'not even \u0000 JSON'].map(makeQuarantine);
  const { quarantined } = await store.commit(makeBatch({ quarantines: bodies }));
  await store.commit(makeBatch({ quarantines: [makeQuarantine('[1]')] }));
  const retried = makeAccept({ content: 'made from a body', ...(quarantined[0] && { quarantineId: quarantined[0] }) });
  await store.commit(makeBatch({ accepts: [retried] }));
}
