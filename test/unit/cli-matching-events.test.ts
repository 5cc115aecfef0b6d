import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { matchingEvents } from '../../src/cli/matching-events.ts';
import type { EventFilter } from '../../src/inbox/store.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { openStore } from '../support/make-store.ts';
import { makeFolder } from '../support/start-receiver.ts';

const START = Date.UTC(2026, 10, 18);
const EVENTS = 400;

/** Times as a clock tells them that is set back twice, and that is often read several times in a millisecond. */
function receivedAt(index: number): number {
  const setBack = index > 150 ? 90 : 0;
  const again = index > 300 ? 200 : 0;
  return START + Math.floor(index / 3) * 2 - setBack - again + (index % 7 === 0 ? 40 : 0);
}

const folder = makeFolder();
let store: SqliteStore;

beforeAll(async () => {
  store = await openStore(folder);
  const accepts = Array.from({ length: EVENTS }, (_, index) =>
    makeAccept({ receivedAt: receivedAt(index), type: index % 2 === 0 ? 'email_sent' : 'email_opened' }),
  );
  // So many in one millisecond that no page of these sizes holds them.
  for (let index = 0; index < 30; index += 1) accepts.push(makeAccept({ receivedAt: START + 50, type: 'email_sent' }));
  await store.commit(makeBatch({ accepts }));
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ids(filter: Omit<EventFilter, 'limit' | 'ids'>, pageSize: number): Promise<string[]> {
  const found: string[] = [];
  for await (const page of matchingEvents(store, filter, pageSize)) found.push(...page.map(({ id }) => id));
  return found;
}

const FILTERS: Omit<EventFilter, 'limit' | 'ids'>[] = [
  {},
  { type: 'email_opened' },
  { since: START + 20 },
  { until: START + 51 },
  { since: START + 50, until: START + 51 },
  { type: 'email_sent', since: START - 300, until: START + 100 },
  { lead: 'nobody@one.example' },
];

test.each([1, 2, 3, 10, 64, 430, 1_000])(
  'pages of %i hold every match once, however the clock ran',
  async (pageSize) => {
    for (const filter of FILTERS) {
      const expected = (await store.listEvents({ ...filter, limit: 10_000 })).map(({ id }) => id);
      const found = await ids(filter, pageSize);
      expect(found).toHaveLength(expected.length);
      expect(found.toSorted()).toEqual(expected.toSorted());
    }
  },
);
