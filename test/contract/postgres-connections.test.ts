import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { type CommitCut, PostgresProxy } from '../support/postgres-proxy.ts';
import { makeAccept, makeBatch, makeDraft } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';

const ROUTES = [{ handler: 'crm', ordered: true }];
/** Milliseconds in which a commit is refused at the latest. */
const REFUSED_WITHIN_MS = 12_000;
/** Milliseconds for a commit to be made up for. */
const PATIENT_MS = 30_000;

let proxy: PostgresProxy | undefined;

// Before those of the rig, which would wait for connections that are frozen.
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

const rig = usePostgres();

async function openThroughProxy(commitMs?: number): Promise<{ store: PostgresStore; between: PostgresProxy }> {
  const between = await PostgresProxy.open(Number(new URL(rig.database.url).port));
  proxy = between;
  const url = between.through(rig.database.url);
  return { store: await rig.open({ url, ...(commitMs === undefined ? {} : { commitMs }) }), between };
}

describe('a connection that breaks inside a commit', () => {
  test.each<CommitCut>(['before', 'during', 'after'])(
    'is made up for: %s PostgreSQL is told, the event is there once, with one audit entry',
    async (when) => {
      // A busy machine may need longer for a new connection than a commit has.
      const { store, between } = await openThroughProxy(PATIENT_MS);
      const rounds = 20;
      for (let round = 0; round < rounds; round += 1) {
        const accept = makeAccept({ content: `${when} ${round}`, routes: ROUTES });
        const cut = between.cutNextCommit(when);
        const [{ accepted }] = await Promise.all([store.commit(makeBatch({ accepts: [accept] })), cut]);
        expect(accepted).toEqual([{ status: 'accepted', id: accept.event.id }]);
      }
      expect(await rig.countEvents()).toBe(rounds);
      expect((await store.counts()).deliveries).toMatchObject({ pending: rounds });
      const received = (await rig.soundAudit()).filter(({ action }) => action === 'webhook.receive');
      expect(received.map(({ metadata }) => metadata['reason'])).toEqual(Array(rounds).fill('accepted'));
      expect(new Set(received.map(({ id }) => id)).size).toBe(rounds);
    },
  );
});

describe('a connection that breaks around a claim', () => {
  test('leaves no delivery leased that nobody was handed, wherever it breaks', async () => {
    const { store, between } = await openThroughProxy(PATIENT_MS);
    const handed: string[] = [];
    let broken = 0;
    const claim = async (lease: string): Promise<number> => {
      const now = Date.now();
      const places = [{ handler: 'crm', limit: 10 }];
      const { deliveries } = await store.claim({ now, places, lease, leaseUntil: now + 600_000 });
      handed.push(...deliveries.map(({ eventId }) => eventId));
      return deliveries.length;
    };
    const accepted: string[] = [];
    // From the answer to the first statement to that of the last.
    for (let bytes = 0; bytes <= 2_400; bytes += 60) {
      const accept = makeAccept({ content: `claimed ${bytes}`, routes: [{ handler: 'crm', ordered: false }] });
      await store.commit(makeBatch({ accepts: [accept] }));
      accepted.push(accept.event.id);
      for (let line = 0; line < between.connections; line += 1) between.cutAfter(line, 'to-client', bytes);
      let found = await claim(`cut ${bytes}`).catch(() => undefined);
      if (found === undefined) broken += 1;
      // The next one that goes through has what is left.
      for (let tries = 0; found === undefined || (found === 0 && tries < 3); tries += 1)
        found = await claim(`again ${bytes} ${tries}`).catch(() => undefined);
    }
    expect(handed).toEqual(accepted);
    expect(broken).toBeGreaterThan(3);
  });
});

describe('a connection on which nothing passes any more', () => {
  test('has a commit refused within seconds, and the same ids are harmless afterwards', async () => {
    const { store, between } = await openThroughProxy();
    await store.commit(makeBatch({ audits: [makeDraft()] }));
    const batch = makeBatch({ accepts: [makeAccept({ content: 'frozen', routes: ROUTES })] });
    between.freeze();
    const started = performance.now();
    await expect(store.commit(batch)).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(performance.now() - started).toBeLessThan(REFUSED_WITHIN_MS);
    // What the old connections still carry arrives now, before or after the batch that is sent again.
    between.thaw();
    const { accepted } = await store.commit(batch);
    expect(accepted[0]?.id).toBe(batch.accepts[0]?.event.id);
    expect(await rig.countEvents()).toBe(1);
    expect((await store.counts()).deliveries).toMatchObject({ pending: 1 });
    await rig.soundAudit();
  });
});

describe('a connection that is gone and says nothing', () => {
  test('is noticed by who listens on it: its owner is there again for the others, and hears them', async () => {
    const between = await PostgresProxy.open(Number(new URL(rig.database.url).port));
    proxy = between;
    const store = await rig.open({ url: between.through(rig.database.url), serve: true });
    await untilOwned(true);
    between.forget();
    await untilOwned(false);
    // Nothing is sent on it meanwhile; the listener has to ask by itself.
    await untilOwned(true);
    const heard = new Promise<void>((resolve) => store.onForeignChange(resolve));
    const other = await rig.open();
    await other.commit(makeBatch({ accepts: [makeAccept({ routes: ROUTES })] }));
    await heard;
  }, 60_000);
});

/** Resolves when the lock of an owner is held in this database, or when none is. */
async function untilOwned(isOwned: boolean): Promise<void> {
  const patience = AbortSignal.timeout(50_000);
  for (;;) {
    const [row] = await rig.database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database
        WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND datname = current_database()`,
    );
    if ((row?.n ?? 0) > 0 === isOwned) return;
    await pause(50, undefined, { signal: patience });
  }
}

describe('a key that is not the one of the log', () => {
  test('is refused whenever the server answers, and nothing is sealed with it', async () => {
    const store = await rig.open();
    await store.commit(makeBatch({ audits: [makeDraft()] }));
    const { between } = await openThroughProxy();
    between.freeze();
    const foreign = PostgresStore.open({
      url: between.through(rig.database.url),
      location: 'a database of the tests',
      auditKey: 'another key than that of the contract suite',
      serve: true,
    });
    await expect(foreign.connected()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    between.thaw();
    await expect(foreign.connected()).rejects.toMatchObject({ name: 'SettingsError' });
    await expect(foreign.commit(makeBatch({ audits: [makeDraft()] }))).rejects.toThrow(/AUDIT_KEY is not the key/);
    await foreign.close();
    await rig.soundAudit();
  });
});
