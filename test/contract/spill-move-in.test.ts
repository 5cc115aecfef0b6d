import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { Secret } from '../../src/config/secret.ts';
import type { Accept, Batch } from '../../src/inbox/store.ts';
import type { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { moveParcel } from '../../src/stores/spill/move-parcel.ts';
import { openSpill } from '../../src/stores/spill/open-spill.ts';
import { type Parcel, rowsOf } from '../../src/stores/spill/parcel.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { makeAccept, makeBatch, makeDraft, makeQuarantine } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';
import { AUDIT_KEY } from './store-contract.ts';

const MB = 1024 * 1024;
const ALL = { rows: 1_000, bytes: 64 * MB };
const TABLES = [
  'events',
  'dedup_keys',
  'event_aliases',
  'deliveries',
  'quarantine',
  'audit_chains',
  'audit_entries',
  'audit_names',
];

const rig = usePostgres();
let folder: GuardedFolder;
let spill: SqliteStore;
let store: PostgresStore;

beforeEach(async () => {
  folder = guardFolder('receiver-spill-');
  spill = await open();
  store = await rig.open();
});
afterEach(async () => {
  await spill.close();
  await folder.remove();
});

const file = (): string => join(folder.path, 'spill.db');
const open = () => openSpill({ file: file(), maxBytes: 64 * MB, auditKey: AUDIT_KEY });
const spillBatch = (batch: Partial<Batch>) => spill.spillCommit(makeBatch(batch));
const spillEvents = async (...accepts: Accept[]) => (await spillBatch({ accepts })).result.accepted;
const commit = async (...accepts: Accept[]) => (await store.commit(makeBatch({ accepts }))).accepted;
const route = (handler: string, ordered = true) => ({ handler, ordered });

/** Moves what is in the spill and forgets it there. */
async function moveAll(limits = ALL): Promise<Parcel> {
  const parcel = await spill.readParcel(limits);
  await store.moveIn(parcel);
  await spill.forgetParcel(rowsOf(parcel));
  return parcel;
}

/** Everything that a move could change. */
async function everything(): Promise<Record<string, string[]>> {
  const tables: Record<string, string[]> = {};
  for (const table of TABLES) {
    const rows = await rig.database.query<{ row: string }>(`SELECT t::text AS row FROM ${table} t ORDER BY 1`);
    tables[table] = rows.map(({ row }) => row);
  }
  return { ...tables, counts: [JSON.stringify(await store.counts())] };
}

async function contents(): Promise<string[]> {
  const rows = await rig.database.query<{ body: Buffer }>('SELECT body FROM events ORDER BY seq');
  return rows.map(({ body }) => body.toString());
}

async function aliases(): Promise<[string, string][]> {
  const rows = await rig.database.query<{ id: string; event_id: string }>('SELECT id, event_id FROM event_aliases');
  return rows.map(({ id, event_id: first }) => [id, first]);
}

describe('events that are moved', () => {
  test('are there as they came, in order, to be found under their ids', async () => {
    const made = ['a', 'b', 'c'].map((content) => makeAccept({ content, campaignId: 'x' }));
    const odd = makeAccept({ content: 'd\u0000', timestamp: null, lead: null, charset: 'koi8-r' });
    await spillEvents(...made, odd);
    await moveAll();
    expect(await contents()).toEqual(['a', 'b', 'c', 'd\u0000']);
    for (const { event } of [...made, odd]) {
      const { dedupKey, dedupUntil, body, ...plain } = event;
      expect(await store.findEvent(event.id)).toMatchObject(plain);
    }
    // Whoever sends one again is answered with its id.
    const [first] = made;
    expect(await commit(makeAccept({ content: 'a' }))).toEqual([{ status: 'duplicate', id: first?.event.id }]);
  });

  test('go to the handlers of their time and to those registered now, and are counted', async () => {
    await store.registerHandlers([
      { handler: 'new', ordered: true, events: ['*'] },
      { handler: 'both', ordered: false, events: ['reply_received'] },
      { handler: 'other', ordered: true, events: ['email_sent'] },
    ]);
    await spillEvents(makeAccept({ routes: [route('both'), route('gone')] }));
    await moveAll();
    const rows = await rig.database.query<{ handler: string; ordered: boolean }>(
      'SELECT handler, order_key IS NOT NULL AS ordered FROM deliveries ORDER BY handler',
    );
    expect(rows).toEqual([route('both', false), route('gone'), route('new')]);
    expect((await store.counts()).deliveries.pending).toBe(3);
    const now = Date.now();
    const places = [{ handler: 'new', limit: 5 }];
    expect((await store.claim({ now, places, lease: 'l', leaseUntil: now + 1_000 })).deliveries).toHaveLength(1);
  });

  test('stay behind those that are there already, for the same lead', async () => {
    const routes = [route('crm')];
    await commit(makeAccept({ content: 'a', routes }));
    await spillEvents(makeAccept({ content: 'b', routes }), makeAccept({ content: 'c', routes }));
    await moveAll();
    const order: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const now = Date.now();
      const request = { now, places: [{ handler: 'crm', limit: 5 }], lease: `l${n}`, leaseUntil: now + 60_000 };
      const { deliveries } = await store.claim(request);
      order.push(deliveries.map(({ body }) => Buffer.from(body).toString()).join());
      const outcomes = deliveries.map(({ deliveryId, lease }) => ({
        deliveryId,
        lease,
        at: Date.now(),
        next: { state: 'done' as const },
        audit: makeDraft('handler.run'),
      }));
      await store.commit(makeBatch({ outcomes }));
    }
    expect(order).toEqual(['a', 'b', 'c']);
  });

  test('lead to the first one where their content was there already', async () => {
    const [first] = await commit(makeAccept({ content: 'same', routes: [route('crm')] }));
    const [spilled] = await spillEvents(makeAccept({ content: 'same', routes: [route('crm')] }));
    await moveAll();
    expect(spilled?.status).toBe('accepted');
    expect([await contents(), (await store.counts()).deliveries.pending]).toEqual([['same'], 1]);
    expect(await aliases()).toEqual([[spilled?.id, first?.id]]);
    expect((await store.findEvent(spilled?.id ?? ''))?.id).toBe(first?.id);
  });

  test('are the same where a commit of unknown outcome took place after all', async () => {
    const accept = makeAccept({ content: 'both', routes: [route('crm')] });
    await commit(accept);
    await spillEvents(accept);
    const before = await everything();
    await moveAll();
    const { audit_chains: _, audit_entries: entries, audit_names: __, ...after } = await everything();
    expect(before).toMatchObject(after);
    expect([entries?.length, await aliases()]).toEqual([4, []]);
  });

  test('count twice where the first one of like content was over when the second came', async () => {
    const old = { content: '{"a":1}', timestamp: null, receivedAt: 1_000_000, dedupUntil: 4_600_000 };
    await spillEvents(makeAccept(old));
    await spillEvents(makeAccept({ ...old, receivedAt: 4_600_000, dedupUntil: 8_200_000 }));
    await moveAll();
    expect([await contents(), await aliases()]).toEqual([['{"a":1}', '{"a":1}'], []]);
  });
});

describe('a parcel that comes again', () => {
  async function spillOfEachKind(): Promise<Parcel> {
    await commit(makeAccept({ content: 'known' }));
    await store.commit(makeBatch({ quarantines: [makeQuarantine('{known')] }));
    await spillEvents(
      makeAccept({ content: 'known', routes: [route('crm')] }),
      makeAccept({ content: 'new', routes: [route('crm')] }),
    );
    const over = { content: '{"a":1}', timestamp: null, receivedAt: 1_000_000, dedupUntil: 4_600_000 };
    await spillEvents(makeAccept(over));
    await spillEvents(makeAccept({ ...over, receivedAt: 4_600_000, dedupUntil: 8_200_000 }));
    await spillBatch({ quarantines: ['{known', '{new', '{new'].map(makeQuarantine) });
    return spill.readParcel(ALL);
  }

  test('after a crash changes nothing', async () => {
    const parcel = await spillOfEachKind();
    await store.moveIn(parcel);
    const before = await everything();
    await store.moveIn(parcel);
    await spill.close();
    spill = await open();
    await moveAll();
    expect(await everything()).toEqual(before);
    expect([await contents(), (await aliases()).length]).toEqual([['known', 'new', '{"a":1}', '{"a":1}'], 2]);
    await rig.soundAudit();
  });

  test('at the same time changes nothing', async () => {
    const parcel = await spillOfEachKind();
    const others = [await rig.open(), await rig.open()];
    await Promise.all([store, ...others].map((one) => one.moveIn(parcel)));
    const before = await everything();
    await store.moveIn(parcel);
    expect(await everything()).toEqual(before);
    expect([await contents(), (await aliases()).length]).toEqual([['known', 'new', '{"a":1}', '{"a":1}'], 2]);
    expect((await store.listQuarantine({ limit: 5 })).map(({ times }) => times)).toEqual([2, 2]);
    await rig.soundAudit();
  });

  test('after the content was accepted anew leaves no trace of it', async () => {
    const content = '{"a":1}';
    const [spilled] = await spillEvents(makeAccept({ content, timestamp: null, dedupUntil: Date.now() - 1 }));
    const parcel = await spill.readParcel(ALL);
    await store.moveIn(parcel);
    const [anew] = await commit(makeAccept({ content, timestamp: null }));
    expect([anew?.status, anew?.id === spilled?.id]).toEqual(['accepted', false]);
    await store.moveIn(parcel);
    expect(await aliases()).toEqual([]);
    expect((await store.findEvent(spilled?.id ?? ''))?.id).toBe(spilled?.id);
  });
});

describe('bodies in quarantine that are moved', () => {
  const quarantine = async (body: string) => {
    const { quarantined } = await store.commit(makeBatch({ quarantines: [makeQuarantine(body)] }));
    return quarantined[0] ?? '';
  };

  test('are kept as they are, or counted where the bytes are there', async () => {
    const known = await quarantine('{known');
    await spillBatch({ quarantines: ['{known', '{new', '{known', '{new', '{new'].map(makeQuarantine) });
    await moveAll();
    const listed = await store.listQuarantine({ limit: 5 });
    expect(listed.map(({ times, state, bodySha256 }) => [times, state, bodySha256])).toEqual([
      [3, 'held', makeQuarantine('{new').bodySha256],
      [3, 'held', makeQuarantine('{known').bodySha256],
    ]);
    expect(listed[1]?.id).toBe(known);
    const found = await store.findQuarantined(listed[0]?.id ?? '');
    expect(Buffer.from(found?.body ?? []).toString()).toBe('{new');
  });

  test('are counted for what came in between two moves', async () => {
    await spillBatch({ quarantines: [makeQuarantine('{cut')] });
    const parcel = await spill.readParcel(ALL);
    await store.moveIn(parcel);
    await spillBatch({ quarantines: [makeQuarantine('{cut')] });
    await spill.forgetParcel(rowsOf(parcel));
    await moveAll();
    expect(await store.listQuarantine({ limit: 5 })).toMatchObject([{ times: 2 }]);
  });

  test('wait for an operator again where the first were retried, once', async () => {
    const id = await quarantine('{cut');
    await commit(makeAccept({ quarantineId: id }));
    await spillBatch({ quarantines: [makeQuarantine('{cut')] });
    const parcel = await spill.readParcel(ALL);
    await store.moveIn(parcel);
    expect(await store.findQuarantined(id)).toMatchObject({ state: 'held', times: 2, eventId: null });
    await commit(makeAccept({ quarantineId: id }));
    await store.moveIn(parcel);
    expect(await store.findQuarantined(id)).toMatchObject({ state: 'retried', times: 2 });
  });

  test('are counted once where a commit of unknown outcome took place after all', async () => {
    const body = makeQuarantine('{cut');
    await store.commit(makeBatch({ quarantines: [body] }));
    await spillBatch({ quarantines: [body, makeQuarantine('{cut')] });
    await moveAll();
    expect(await store.listQuarantine({ limit: 5 })).toMatchObject([{ id: body.id, times: 2 }]);
  });
});

describe('audit entries that are moved', () => {
  test('are sound in parts, over outages and restarts, among those of others', async () => {
    for (let outage = 0; outage < 3; outage += 1) {
      await commit(makeAccept());
      for (let n = 0; n < 5; n += 1) await spillEvents(makeAccept());
      while (!(await moveAll({ rows: 2, bytes: MB })).isWhole) await rig.soundAudit();
      await store.commit(makeBatch({ audits: [makeDraft()] }));
      if (outage === 1) {
        await spill.close();
        spill = await open();
      }
    }
    const entries = await rig.soundAudit();
    expect(entries.filter(({ action }) => action === 'webhook.receive')).toHaveLength(18);
  });

  test('name the heads they followed, and are named by who starts later', async () => {
    await spillEvents(makeAccept());
    const { writer } = (await spill.readParcel(ALL)).entries[0] ?? {};
    await spill.close();
    spill = await open();
    const { head } = (await spillBatch({ audits: [makeDraft()] })).result;
    await moveAll();
    expect(await store.auditHeads()).toEqual([head]);
    await (await rig.open()).commit(makeBatch({ audits: [makeDraft()] }));
    const heads = await store.auditHeads();
    expect([heads.length, heads.some((one) => one.writer === head.writer)]).toEqual([1, false]);
    const entries = await rig.soundAudit();
    expect(new Set(entries.map((entry) => entry.writer)).has(writer ?? '')).toBe(true);
  });

  test('fail as a whole where another is in their place', async () => {
    await spillEvents(makeAccept());
    const parcel = await spill.readParcel(ALL);
    await store.moveIn({ ...parcel, events: [] });
    const before = await everything();
    const hash = 'ab'.repeat(32);
    const forged = {
      ...parcel,
      entries: parcel.entries.map((entry) => (entry.seq === 2 ? { ...entry, hash } : entry)),
    };
    await expect(store.moveIn(forged)).rejects.toThrow(
      /audit entry 2 of chain \S+ of the spill is in PostgreSQL already/,
    );
    expect(await everything()).toEqual(before);
  });

  test('show that somebody has changed them, as they did in the spill', async () => {
    await spillEvents(makeAccept(), makeAccept());
    const db = new DatabaseSync(file());
    db.prepare('UPDATE audit_entries SET metadata = ? WHERE seq = 2').run('{ "reason": "\u0000" }');
    db.close();
    await moveAll();
    const snapshot = await store.openAuditSnapshot();
    const entries = await snapshot.read(undefined, 100);
    await snapshot.close();
    expect(entries).toHaveLength(3);
    const verdict = await verifyAudit(() => entries, deriveAuditKey(new Secret(AUDIT_KEY)));
    expect(verdict).toMatchObject({ ok: false, faultyChains: 1, fault: { kind: 'edited', seq: 2 } });
  });
});

test('a move is on the disk when it is done, though the server is not asked to by default', async () => {
  await rig.database.query(`CREATE TABLE seen (setting text)`);
  await rig.database.query(
    `CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$`,
  );
  await rig.database.query('CREATE TRIGGER see BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION see()');
  const [row] = await rig.database.query<{ name: string }>('SELECT current_database() AS name');
  await rig.database.query(`ALTER DATABASE ${row?.name} SET synchronous_commit = off`);
  store = await rig.open();
  await spillEvents(makeAccept());
  await moveAll();
  expect(await rig.database.query('SELECT setting FROM seen')).toEqual([{ setting: 'on' }]);
});

describe('rows that PostgreSQL refuses', () => {
  test('keep back no other: an event is kept by its bytes, the rest is laid aside in the spill', async () => {
    const events = ['a', 'poison', 'b'].map((type) => makeAccept({ type, content: `{"type":"${type}"}` }));
    await spillBatch({ accepts: events, audits: [makeDraft('first'), makeDraft('poison'), makeDraft('last')] });
    await rig.database.query(`ALTER TABLE events ADD CHECK (type <> 'poison');
      ALTER TABLE audit_entries ADD CHECK (action <> 'poison')`);
    const refused: string[] = [];
    const size = await moveParcel(
      {
        moveIn: (parcel) => store.moveIn(parcel),
        forget: (rows, aside) => spill.forgetParcel(rows, aside),
        onRefused: (_, { message }) => refused.push(message),
      },
      await spill.readParcel(ALL),
    );
    expect(size).toMatchObject({ events: 0, isEmpty: true });
    expect(refused).toEqual([expect.stringContaining('23514'), expect.stringContaining('23514')]);
    expect(await contents()).toEqual(['{"type":"a"}', '{"type":"b"}']);
    const kept = await store.findQuarantined(events[1]?.event.id ?? '');
    expect(kept).toMatchObject({ reason: 'not-storable' });
    expect(Buffer.from(kept?.body ?? []).toString()).toBe('{"type":"poison"}');
    const { entries } = await store.tailAudit(100);
    expect(entries.map(({ action }) => action)).toEqual(expect.arrayContaining(['first', 'last']));
    await spill.close();
    const db = new DatabaseSync(file());
    const aside = db.prepare('SELECT kind, facts FROM laid_aside').all();
    db.close();
    expect(aside).toHaveLength(1);
    expect(JSON.parse(String(aside[0]?.['facts']))).toMatchObject({ action: 'poison' });
  });
});
