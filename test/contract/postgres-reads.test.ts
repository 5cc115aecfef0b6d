import { describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { AuditCursor } from '../../src/inbox/store.ts';
import type { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { holdTransaction, Writer } from './hold-transaction.ts';
import { makeAccept, makeBatch, makeDraft } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';

const rig = usePostgres();

const audit = (store: PostgresStore, ...actions: string[]) =>
  store.commit(makeBatch({ audits: actions.map((action) => makeDraft(action)) }));

const actions = (entries: readonly AuditEntry[]) => entries.map(({ action }) => action);

/** Everything after a cursor, in pages. */
async function readAll(store: PostgresStore, after: AuditCursor, page: number): Promise<AuditEntry[]> {
  const all: AuditEntry[] = [];
  let cursor = after;
  for (;;) {
    const news = await store.tailAudit(page, cursor);
    cursor = news.cursor;
    if (news.entries.length === 0) return all;
    expect(news.entries.length).toBeLessThanOrEqual(page);
    all.push(...news.entries);
  }
}

describe('following the audit log', () => {
  test('passes over nothing that began earlier and is committed later', async () => {
    const store = await rig.open();
    await audit(store, 'a.first');
    const slow = new Writer();
    await (await holdTransaction(rig.database.url, (runner) => slow.write(runner, 'slow.start'))).commit();
    const held = await holdTransaction(rig.database.url, async (runner) => {
      await slow.write(runner, 'slow.one');
      await slow.write(runner, 'slow.two');
    });
    await audit(store, 'a.second');
    const seen = await store.tailAudit(1);
    expect(actions(seen.entries)).toEqual(['a.second']);
    await held.commit();
    await audit(store, 'a.third');
    expect(actions(await readAll(store, seen.cursor, 1))).toEqual(['slow.one', 'slow.two', 'a.third']);
    expect(actions(await readAll(store, seen.cursor, 10))).toEqual(['slow.one', 'slow.two', 'a.third']);
  });

  test('sees a chain that began earlier and was committed later', async () => {
    const store = await rig.open();
    await audit(store, 'a.first');
    const held = await holdTransaction(rig.database.url, (runner) => new Writer().write(runner, 'slow.one'));
    await audit(store, 'a.second');
    const { cursor } = await store.tailAudit(10);
    await held.commit();
    expect(actions(await readAll(store, cursor, 1))).toEqual(['audit.chain.start', 'slow.one']);
  });

  test('from the start shows every entry once, those of each chain in order', async () => {
    const stores = await Promise.all([rig.open(), rig.open(), rig.open()]);
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(stores.map((store, index) => audit(store, `${round}.${index}`, `${round}.${index}`)));
    }
    const [store] = stores;
    const entries = await readAll(store, 'start', 5);
    expect(entries).toHaveLength(3 + 24);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
    for (const name of new Set(entries.map(({ writer }) => writer))) {
      const seqs = entries.filter(({ writer }) => writer === name).map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    }
  });

  test('comes to the end of a log from which whole chains were pruned', async () => {
    const [gone, store] = [await rig.open(), await rig.open()];
    await audit(gone, 'old.act');
    await audit(store, 'a.first');
    // The row of the first chain stays, since the second one's first entry names it.
    await rig.database.query(`DELETE FROM audit_entries WHERE chain = (SELECT min(chain) FROM audit_chains)`);
    const end = (await store.tailAudit(1)).cursor;
    expect((await store.tailAudit(10, 'start')).cursor).toEqual(end);
  });
});

describe('snapshots of the audit log', () => {
  test('are few at once; a closed one makes room', async () => {
    const store = await rig.open();
    await audit(store, 'a.first');
    const open = await Promise.all([1, 2, 3, 4].map(() => store.openAuditSnapshot()));
    await expect(store.openAuditSnapshot()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await open[0]?.close();
    const again = await store.openAuditSnapshot();
    expect(await again.read(undefined, 10)).toHaveLength(2);
    await expect(open[0]?.read(undefined, 10)).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });

  test('say so where the server has ended their session, and make room', async () => {
    const store = await rig.open();
    await audit(store, 'a.first');
    const open = await Promise.all([1, 2, 3, 4].map(() => store.openAuditSnapshot()));
    await rig.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`,
    );
    for (const snapshot of open) {
      await expect(snapshot.read(undefined, 10)).rejects.toMatchObject({ name: 'StoreUnavailable' });
    }
    expect(await (await store.openAuditSnapshot()).read(undefined, 10)).toHaveLength(2);
  });
});

test('an event is found under an id that was answered for it while the server was away', async () => {
  const store = await rig.open();
  const { accepted } = await store.commit(makeBatch({ accepts: [makeAccept(), makeAccept()] }));
  const id = accepted[0]?.id ?? '';
  const alias = uuidv7();
  await rig.database.query('INSERT INTO event_aliases (id, event_id) VALUES ($1, $2)', [alias, id]);
  expect((await store.findEvent(alias))?.id).toBe(id);
  expect(await store.listEvents({ limit: 5, ids: [alias, uuidv7(), 'no id'] })).toMatchObject([{ id }]);
});

test('workers that start together leave the handlers of one of them', async () => {
  const stores = await Promise.all([1, 2, 3, 4, 5].map(() => rig.open()));
  const handlers = (index: number) =>
    ['crm', 'log', `own-${index}`].map((handler) => ({ handler, ordered: index % 2 === 0, events: ['*', 'a\0"b'] }));
  await Promise.all(stores.map((store, index) => store.registerHandlers(handlers(index))));
  const registered = (await stores[0]?.registeredHandlers()) ?? [];
  expect(registered).toHaveLength(3);
  const winner = Number(registered[2]?.handler.slice('own-'.length));
  const written = handlers(winner).map((route) => ({ ...route, events: ['*', 'a\uFFFD"b'] }));
  expect(registered).toEqual(written);
});

test('processes that start together agree on when a secret was first seen', async () => {
  const stores = await Promise.all([1, 2, 3, 4].map(() => rig.open()));
  const seen = await Promise.all(
    stores.map((store, index) => store.firstSeen(index % 2 === 0 ? ['a', 'b'] : ['b', 'a'], 1_000 + index)),
  );
  const [first] = seen;
  for (const other of seen) expect(new Map(other)).toEqual(new Map(first));
  expect(await stores[0]?.firstSeen(['b', 'a', 'a'], 9_999)).toEqual(first);
});
