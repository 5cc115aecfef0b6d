import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { AnchorHead } from '../../src/audit/parse-anchor.ts';
import type { Tampering } from '../../src/audit/tampering.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { Secret } from '../../src/config/secret.ts';
import type { Store, StoredBody } from '../../src/inbox/store.ts';
import { makeAccept, makeBatch, makeDraft, makeQuarantine } from './make-parts.ts';
import { AUDIT_KEY } from './store-contract.ts';

export interface AuditUnderTest {
  open(): Promise<Store>;
  /** As a receiver opens it at a start. */
  start(): Promise<Store>;
  /** Runs SQL that either database understands, behind the store's back. */
  execute(sql: string): void | Promise<void>;
  /** Closes what is open and removes everything. */
  remove(): Promise<void>;
}

const DAY = 86_400_000;
const OWN = `(SELECT max(chain) FROM audit_chains WHERE writer NOT LIKE 'anonymous-%')`;
const STRANGERS = `(SELECT max(chain) FROM audit_chains WHERE writer LIKE 'anonymous-%')`;
/** Back to what was the newest entry so long ago. */
const setBack = (chain: string, entries: number): string =>
  `UPDATE audit_chains SET seq = seq - ${entries} WHERE chain = ${chain};
   UPDATE audit_chains SET hash = (SELECT a.hash FROM audit_entries a WHERE a.chain = audit_chains.chain AND a.seq = audit_chains.seq)
     WHERE chain = ${chain};
   DELETE FROM audit_entries WHERE chain = ${chain} AND seq > (SELECT seq FROM audit_chains c WHERE c.chain = ${chain})`;
const WIPE = 'DELETE FROM audit_entries; DELETE FROM audit_chains';

/** What a thief with the database and without the key can do to the log. */
const THEFTS = {
  'the newest entry deleted and the head set back': [setBack(OWN, 1), 'head-changed'],
  'many entries deleted and the head set back': [setBack(OWN, 4), 'head-changed'],
  'only the head set back': [`UPDATE audit_chains SET seq = seq - 1 WHERE chain = ${OWN}`, 'head-changed'],
  'only the hash of the head': [
    `UPDATE audit_chains SET hash = prev_hash FROM audit_entries a
      WHERE a.chain = audit_chains.chain AND a.seq = audit_chains.seq AND audit_chains.chain = ${OWN}`,
    'head-changed',
  ],
  'the head set ahead': [`UPDATE audit_chains SET seq = seq + 1 WHERE chain = ${OWN}`, 'head-changed'],
  'only the newest entry deleted': [
    `DELETE FROM audit_entries WHERE chain = ${OWN} AND seq = (SELECT seq FROM audit_chains c WHERE c.chain = ${OWN})`,
    'entry-missing',
  ],
  'the hash of the newest entry': [
    `UPDATE audit_entries SET hash = prev_hash WHERE chain = ${OWN} AND seq = (SELECT seq FROM audit_chains c WHERE c.chain = ${OWN})`,
    'entry-missing',
  ],
  'the whole log': [WIPE, 'chain-missing'],
  'the row of the chain alone': [`DELETE FROM audit_chains WHERE chain = ${OWN}`, 'chain-missing'],
  'a whole chain': [
    `DELETE FROM audit_entries WHERE chain = ${OWN}; DELETE FROM audit_chains WHERE chain = ${OWN}`,
    'chain-missing',
  ],
  'the chain of strangers': [setBack(STRANGERS, 1), 'head-changed'],
} as const;

/** What every store does for its audit log while others may write to it. */
export function describeAudit(name: string, create: () => Promise<AuditUnderTest>): void {
  describe(`${name}: the audit log`, () => testAudit(create));
}

function testAudit(create: () => Promise<AuditUnderTest>): void {
  let rig: AuditUnderTest;
  let opened: Store;
  const under = (): AuditUnderTest => rig;
  const store = (): Store => opened;
  beforeEach(async () => {
    rig = await create();
    opened = await rig.open();
  });
  afterEach(() => rig.remove());

  const stranger = (action = 'request.refuse', at = Date.now()) => ({ ...makeDraft(action, at), userId: 'anonymous' });
  const commit = (on: Store, ...audits: ReturnType<typeof makeDraft>[]) => on.commit(makeBatch({ audits }));
  const listen = (on: Store): Tampering[] => {
    const found: Tampering[] = [];
    on.onTampered((one) => found.push(one));
    return found;
  };

  async function readLog(): Promise<AuditEntry[]> {
    const snapshot = await store().openAuditSnapshot();
    const entries = await snapshot.read(undefined, 100_000);
    await snapshot.close();
    return entries;
  }

  async function verify(anchor: readonly AnchorHead[] = []) {
    const snapshot = await store().openAuditSnapshot();
    const entries = await snapshot.read(undefined, 100_000);
    const described = await snapshot.describe();
    await snapshot.close();
    return verifyAudit(() => entries, deriveAuditKey(new Secret(AUDIT_KEY)), { described, anchor });
  }

  describe('a log that somebody tampers with while it is written', () => {
    test.each(Object.entries(THEFTS))('%s: is said, and events are accepted on', async (_, [sql, reason]) => {
      for (let n = 0; n < 3; n += 1)
        await store().commit(makeBatch({ accepts: [makeAccept()], audits: [makeDraft(), stranger()] }));
      const found = listen(store());
      await under().execute(sql);
      for (let n = 0; n < 2; n += 1) {
        const { accepted } = await store().commit(makeBatch({ accepts: [makeAccept()], audits: [stranger()] }));
        expect(accepted).toMatchObject([{ status: 'accepted' }]);
      }
      expect(found.map((one) => one.reason)).toContain(reason);
      const written = (await readLog()).filter(({ action }) => action === 'audit.tampered');
      const [first] = found.filter((one) => one.reason === reason);
      expect(written.map(({ metadata }) => metadata)).toContainEqual(
        expect.objectContaining({ reason, writer: first?.writer, expectedSeq: first?.expected?.seq }),
      );
      expect(await verify()).toMatchObject({ ok: false });
      // It is said once.
      expect(written).toHaveLength(found.length);
    });

    test('an edited entry: the log goes on, and verification names it', async () => {
      await store().commit(makeBatch({ accepts: [makeAccept()], audits: [makeDraft('a.a')] }));
      await under().execute(`UPDATE audit_entries SET user_id = 'nobody' WHERE action = 'a.a'`);
      await commit(store(), makeDraft());
      expect(await verify()).toMatchObject({ ok: false, fault: { kind: 'edited' } });
    });
  });

  describe('a log that somebody has tampered with before the start', () => {
    test.each([
      ['wiped', WIPE, 'log-empty'],
      ['with a head set back', `UPDATE audit_chains SET seq = seq - 1 WHERE chain = ${OWN}`, 'head-changed'],
      ['without its newest entries', `DELETE FROM audit_entries WHERE seq > 2`, 'head-changed'],
      ['without a chain', `DELETE FROM audit_entries WHERE chain = ${OWN}`, 'entry-missing'],
      ['without the row of a chain', `DELETE FROM audit_chains WHERE chain = ${OWN}`, 'chain-unknown'],
    ] as const)('%s: is said at the start', async (_, sql, reason) => {
      await store().commit(makeBatch({ accepts: [makeAccept()], audits: [makeDraft(), makeDraft(), stranger()] }));
      await under().execute(sql);
      const started = await under().start();
      await commit(started, makeDraft('service.start'));
      expect(listen(started)).toMatchObject([{ reason }]);
      const written = (await readLog()).filter(({ action }) => action === 'audit.tampered');
      expect(written).toMatchObject([{ metadata: { reason }, result: 'failure' }]);
      await commit(started, makeDraft());
      expect((await readLog()).filter(({ action }) => action === 'audit.tampered')).toHaveLength(1);
      expect(await verify()).toMatchObject({ ok: false });
    });

    test('an empty log of a store that holds events fails, that of a new one does not', async () => {
      expect(await verify()).toMatchObject({ ok: true });
      await store().commit(makeBatch({ accepts: [makeAccept()] }));
      await under().execute(WIPE);
      expect(await verify()).toMatchObject({ ok: false, fault: { kind: 'empty' } });
    });

    test('entries cut off under a head that is left are seen without an anchor', async () => {
      await commit(store(), ...Array.from({ length: 10 }, () => makeDraft()));
      await under().execute('DELETE FROM audit_entries WHERE seq > 8');
      expect(await verify()).toMatchObject({ ok: false, entries: 8, fault: { kind: 'head' } });
    });

    test('nothing is said of a log that was pruned, or never began', async () => {
      const fresh = await under().start();
      const other = await under().open();
      await commit(other, makeDraft('a.a', Date.now() - 500 * DAY));
      await commit(store(), makeDraft(), stranger());
      const now = Date.now();
      await store().prune({ now, eventsBefore: 0, auditBefore: now + DAY, limit: 100 });
      await store().prune({ now, eventsBefore: 0, auditBefore: now + DAY, limit: 100 });
      const started = await under().start();
      await commit(started, makeDraft());
      for (const one of [fresh, other, store(), started]) {
        await commit(one, makeDraft(), stranger());
        expect(listen(one)).toEqual([]);
      }
      expect(await verify()).toMatchObject({ ok: true });
    });
  });

  describe('the chain of a command deleted whole, with its row', () => {
    const DELETE = `DELETE FROM audit_entries WHERE chain = ${OWN}; DELETE FROM audit_chains WHERE chain = ${OWN}`;
    const command = async (action: string) => commit(await under().open(), makeDraft(action));
    beforeEach(() => commit(store(), makeDraft('service.start')));

    test('is found where the next chain names it', async () => {
      await command('event.replay');
      const writer = (await readLog()).find(({ action }) => action === 'event.replay')?.writer ?? '';
      await command('event.list');
      expect(await verify()).toMatchObject({ ok: true, chains: 3 });
      const chain = `(SELECT chain FROM audit_chains WHERE writer = '${writer}')`;
      await under().execute(
        `DELETE FROM audit_entries WHERE chain = ${chain}; DELETE FROM audit_chains WHERE writer = '${writer}'`,
      );
      const expected = { ok: false, fault: { kind: 'link', writer, seq: 2, id: null } };
      expect(await verify()).toMatchObject(expected);
      // What is written later does not cover it up.
      await command('event.list');
      expect(await verify()).toMatchObject(expected);
    });

    test('is found where no chain names it yet, with a head that was kept elsewhere', async () => {
      await command('event.replay');
      const anchor = (await store().auditHeads()).map((head) => ({ ...head, time: Date.now() }));
      await under().execute(DELETE);
      expect(await verify()).toMatchObject({ ok: true, chains: 1 });
      expect(await verify(anchor)).toMatchObject({ ok: false, fault: { kind: 'anchor', seq: 2, id: null } });
    });
  });

  describe('entries of strangers', () => {
    const kinds = async () => {
      const log = await readLog();
      const actions = (isOfStrangers: boolean) =>
        log.filter(({ writer }) => writer.startsWith('anonymous-') === isOfStrangers).map(({ action }) => action);
      return { strangers: actions(true), others: actions(false) };
    };

    test('have a chain of their own, which is begun with the first of them', async () => {
      await commit(store(), makeDraft('a.a'));
      expect(await kinds()).toEqual({ strangers: [], others: ['audit.chain.start', 'a.a'] });
      await commit(store(), stranger('b.b'), makeDraft('c.c'), stranger('d.d'));
      expect(await kinds()).toEqual({
        strangers: ['audit.chain.start', 'b.b', 'd.d'],
        others: ['audit.chain.start', 'a.a', 'c.c'],
      });
      expect((await store().auditHeads()).map(({ writer }) => writer.startsWith('anonymous-')).sort()).toEqual([
        false,
        true,
      ]);
      expect(await verify()).toMatchObject({ ok: true, chains: 2 });
    });

    test('go earlier than others, chain by chain, and the rest holds', async () => {
      const now = Date.now();
      const old = now - 8 * DAY;
      for (const process of [await under().open(), store(), await under().open()])
        await commit(process, stranger('old.b', old), makeDraft('old.a', old), stranger('new.b'));
      // The entries that begin the chains are of today.
      const request = { now, eventsBefore: 0, auditBefore: now - 400 * DAY, limit: 100 };
      expect((await store().prune({ ...request, anonymousBefore: now - 7 * DAY })).audits).toBe(0);
      for (;;) {
        const step = await store().prune({ ...request, anonymousBefore: now + DAY, limit: 2 });
        expect(await verify()).toMatchObject({ ok: true });
        if (!step.more) break;
      }
      const { strangers, others } = await kinds();
      expect(strangers).toEqual([]);
      expect(others.filter((action) => action === 'old.a')).toHaveLength(3);
      const found = listen(store());
      await commit(store(), stranger('b.b'));
      expect((await kinds()).strangers).toEqual(['audit.chain.start', 'b.b']);
      expect([found, (await verify()).ok]).toEqual([[], true]);
    });

    test('no other chain goes with them, whatever its name is made to be', async () => {
      await commit(store(), makeDraft(), makeDraft());
      await under().execute(`UPDATE audit_chains SET writer = 'anonymous-' || writer WHERE chain = ${OWN}`);
      const now = Date.now();
      const request = { now, eventsBefore: 0, auditBefore: 0, anonymousBefore: now + DAY, limit: 100 };
      expect((await (await under().open()).prune(request)).audits).toBe(0);
      expect((await readLog()).length).toBeGreaterThanOrEqual(3);
    });
  });

  test('a snapshot shows every body, those of events first, within a number of bytes', async () => {
    const contents = ['one', 'two', 'a long one', 'four'];
    await store().commit(
      makeBatch({
        accepts: contents.map((content) => makeAccept({ content })),
        quarantines: [makeQuarantine('{held')],
      }),
    );
    const snapshot = await store().openAuditSnapshot();
    const read: string[][] = [];
    let last: StoredBody | undefined;
    for (;;) {
      const page = await snapshot.bodies(last && { kind: last.kind, seq: last.seq }, { rows: 3, bytes: 8 });
      last = page.at(-1);
      if (last === undefined) break;
      read.push(page.map(({ body }) => Buffer.from(body).toString()));
    }
    await snapshot.close();
    expect(read).toEqual([['one', 'two'], ['a long one'], ['four'], ['{held']]);
  });
}
