import { expect, test } from '@jest/globals';
import { claimNotice, isNoticeDue } from '../../src/inbox/claim-notice.ts';
import type { StoredDocument } from '../../src/inbox/store.ts';

const DAY_MS = 86_400_000;
const NOW = 1_760_000_000_000;

/** As the documents of a store: a write holds where the version is the one that was read. */
function makeStore() {
  const documents = new Map<string, StoredDocument>();
  return {
    documents,
    readDocument: async (name: string) => documents.get(name),
    writeDocument: async (name: string, text: string, version: number) => {
      if ((documents.get(name)?.version ?? 0) !== version) return false;
      documents.set(name, { name, text, version: version + 1, ageMs: 0 });
      return true;
    },
  };
}

test('of all processes one has to log a line, once in a period', async () => {
  const store = makeStore();
  expect(await isNoticeDue(store, 'age', DAY_MS, NOW)).toBe(true);
  const claims = await Promise.all([1, 2, 3].map(() => claimNotice(store, 'age', DAY_MS, NOW)));
  expect(claims.filter(Boolean)).toHaveLength(1);
  expect(await isNoticeDue(store, 'age', DAY_MS, NOW + DAY_MS - 1)).toBe(false);
  expect(await claimNotice(store, 'age', DAY_MS, NOW + DAY_MS - 1)).toBe(false);
  expect(await claimNotice(store, 'another', DAY_MS, NOW)).toBe(true);
  expect(await claimNotice(store, 'age', DAY_MS, NOW + DAY_MS)).toBe(true);
});

test.each([
  ['a time that is yet to come, of a clock that was set back since', String(NOW + 1)],
  ['no time', 'yesterday'],
])('a line is due where the document holds %s', async (_, text) => {
  const store = makeStore();
  store.documents.set('notice:age', { name: 'notice:age', text, version: 4, ageMs: 0 });
  expect(await isNoticeDue(store, 'age', DAY_MS, NOW)).toBe(true);
  expect(await claimNotice(store, 'age', DAY_MS, NOW)).toBe(true);
  expect(store.documents.get('notice:age')).toMatchObject({ text: String(NOW), version: 5 });
});
