import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { Secret } from '../../src/config/secret.ts';
import { dedupKey } from '../../src/events/dedup-key.ts';
import { parseBody } from '../../src/events/parse-body.ts';
import type { Accept } from '../../src/inbox/store.ts';
import { type Parcel, rowsOf } from '../../src/stores/spill/parcel.ts';
import { AuditLane } from '../../src/stores/sqlite/audit-lane.ts';
import { Connection } from '../../src/stores/sqlite/connection.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch, makeDraft, makeQuarantine } from '../contract/make-parts.ts';
import { AUDIT_KEY, openTestSpill } from './spill-support.ts';

const MB = 1024 * 1024;
const ALL = { rows: 1_000, bytes: 64 * MB };
const ROUTES = [
  { handler: 'crm', ordered: true },
  { handler: 'log', ordered: false },
];

let dir: string;
let file: string;
let spill: SqliteStore;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'receiver-spill-'));
  file = join(dir, 'spill.db');
  spill = await openTestSpill(file);
});
afterEach(async () => {
  await spill.close();
  rmSync(dir, { recursive: true });
});

const accept = async (...accepts: Accept[]) => (await spill.spillCommit(makeBatch({ accepts }))).result.accepted;
const quarantine = async (body: string) => spill.spillCommit(makeBatch({ quarantines: [makeQuarantine(body)] }));
const contents = ({ events }: Parcel) => events.map(({ event }) => Buffer.from(event.body).toString());
const forget = (parcel: Parcel) => spill.forgetParcel(rowsOf(parcel));
const verify = (entries: readonly AuditEntry[]) => verifyAudit(() => entries, deriveAuditKey(new Secret(AUDIT_KEY)));

describe('a parcel', () => {
  test('holds the events as they came, in order, with their routes', async () => {
    const [one, two] = [
      makeAccept({ content: 'one', routes: ROUTES, campaignId: 'c', lead: 'a@b.example' }),
      makeAccept({ content: 'two', timestamp: null, lead: null }),
    ];
    await accept(one);
    await accept(two);
    const { events, isWhole } = await spill.readParcel(ALL);
    expect(isWhole).toBe(true);
    const plain = ({ event, routes }: Pick<Accept, 'event' | 'routes'>) => ({
      event: {
        ...event,
        dedupKey: Buffer.from(event.dedupKey).toString('hex'),
        body: Buffer.from(event.body).toString(),
      },
      routes,
    });
    expect(events.map(plain)).toEqual([plain(one), plain({ ...two, routes: [] })]);
  });

  test('says of a handler whether order mattered', async () => {
    await accept(makeAccept({ routes: ROUTES }));
    const [spilled] = (await spill.readParcel(ALL)).events;
    expect(spilled?.routes).toEqual(ROUTES);
  });

  test('takes the oldest that fit, by rows and by bytes, and one that is larger than all by itself', async () => {
    await accept(...['1', '2', '3'].map((content) => makeAccept({ content: content.repeat(1_000) })));
    const byRows = await spill.readParcel({ rows: 2, bytes: MB });
    expect([byRows.events.length, byRows.isWhole]).toEqual([2, false]);
    const byBytes = await spill.readParcel({ rows: 10, bytes: 2_500 });
    expect(contents(byBytes).map(([first]) => first)).toEqual(['1', '2']);
    const large = await spill.readParcel({ rows: 10, bytes: 10 });
    expect([large.events.length, large.entries.length, large.isWhole]).toEqual([1, 0, false]);
  });

  test('is whole only where nothing is left of any kind', async () => {
    await accept(makeAccept());
    await quarantine('{cut');
    const { entries, bodies } = await spill.readParcel(ALL);
    expect([entries.length, bodies.length]).toEqual([3, 1]);
    expect((await spill.readParcel({ rows: 2, bytes: MB })).isWhole).toBe(false);
    expect((await spill.readParcel({ rows: 3, bytes: MB })).isWhole).toBe(true);
  });

  test('has a key for an event whose own was left to the same content later', async () => {
    const content = '{"event_type":"x"}';
    const parsed = parseBody(Buffer.from(content));
    if (!parsed.ok) throw new Error('not read');
    const key = dedupKey(parsed);
    const old = makeAccept({ content, timestamp: null, receivedAt: 1_000, dedupUntil: 5_000 });
    const again = makeAccept({ content, timestamp: null, receivedAt: 5_000, dedupUntil: 9_000 });
    for (const one of [old, again]) await accept({ ...one, event: { ...one.event, dedupKey: key } });
    const { events } = await spill.readParcel(ALL);
    expect(events.map(({ event }) => [Buffer.from(event.dedupKey).equals(key), event.dedupUntil])).toEqual([
      [true, 1_000],
      [true, 9_000],
    ]);
  });
});

describe('what is forgotten', () => {
  test('is gone with its deliveries and its key, and the counts say so', async () => {
    await accept(makeAccept({ content: 'same', routes: ROUTES }), makeAccept({ content: 'stays' }));
    const parcel = await spill.readParcel({ rows: 1, bytes: MB });
    expect(await forget(parcel)).toMatchObject({ events: 1, isEmpty: false });
    expect((await spill.counts()).deliveries.pending).toBe(0);
    const [again] = await accept(makeAccept({ content: 'same' }));
    expect(again?.status).toBe('accepted');
    expect(contents(await spill.readParcel(ALL))).toEqual(['stays', 'same']);
  });

  test('is never what came later, though the numbers of rows begin anew', async () => {
    await accept(makeAccept({ content: 'first' }));
    const parcel = await spill.readParcel(ALL);
    expect(await forget(parcel)).toMatchObject({ events: 0, isEmpty: true });
    await accept(makeAccept({ content: 'second' }));
    expect(await forget(parcel)).toMatchObject({ events: 1, isEmpty: false });
    const left = await spill.readParcel(ALL);
    expect([contents(left), left.entries.length]).toEqual([['second'], 1]);
  });

  test('of a body that came again meanwhile leaves what came', async () => {
    await quarantine('{cut');
    await quarantine('{cut');
    const parcel = await spill.readParcel(ALL);
    expect(parcel.bodies).toMatchObject([{ times: 2, bodySha256: makeQuarantine('{cut').bodySha256 }]);
    for (let n = 0; n < 3; n += 1) await quarantine('{cut');
    // Whoever reads the same once more, after a crash say, reads the same of it.
    expect((await spill.readParcel(ALL)).bodies[0]).toEqual(parcel.bodies[0]);
    await forget(parcel);
    const [left, ...none] = (await spill.readParcel(ALL)).bodies;
    expect([left?.times, none, left?.id === parcel.bodies[0]?.id]).toEqual([3, [], false]);
  });
});

describe('the size', () => {
  test('counts events, over restarts too', async () => {
    await accept(makeAccept({ content: 'a' }), makeAccept({ content: 'a' }), makeAccept());
    expect(await spill.spillSize()).toMatchObject({ events: 2, isEmpty: false });
    await spill.close();
    spill = await openTestSpill(file);
    expect((await spill.spillCommit(makeBatch({ accepts: [makeAccept()] }))).size.events).toBe(3);
    expect(await spill.spillSize()).toMatchObject({ events: 3 });
  });

  test('is bounded: what goes beyond it is refused whole, and what was moved makes room', async () => {
    await spill.close();
    spill = await openTestSpill(file, MB);
    const body = (n: number) => makeAccept({ content: `${n}`.repeat(100_000), routes: ROUTES });
    let kept = 0;
    const fill = async () => {
      for (;;) {
        try {
          await accept(body(kept));
          kept += 1;
        } catch (error) {
          return error;
        }
      }
    };
    expect(await fill()).toMatchObject({ name: 'StoreUnavailable', message: 'the spill or its disk is full' });
    expect(kept).toBeGreaterThan(3);
    expect(await spill.spillSize()).toMatchObject({ events: kept });
    expect(statSync(file).size).toBeLessThanOrEqual(MB);
    await expect(spill.spillCheck()).rejects.toThrow('the spill is full');
    const before = kept;
    await forget(await spill.readParcel(ALL));
    await spill.spillCheck();
    await fill();
    expect(kept - before).toBeGreaterThan(3);
  });

  test('of the file is given back once all is moved', async () => {
    for (let n = 0; n < 20; n += 1) await accept(makeAccept({ content: `${n}`.repeat(MB) }));
    for (;;) if ((await forget(await spill.readParcel({ rows: 5, bytes: 64 * MB }))).isEmpty) break;
    expect(statSync(file).size).toBeLessThan(MB);
    // It is still the file in its place.
    await accept(makeAccept({ content: 'after' }));
    expect(contents(await spill.readParcel(ALL))).toEqual(['after']);
  });
});

describe('the audit chain', () => {
  const act = () => spill.spillCommit(makeBatch({ audits: [makeDraft()] }));

  test('goes on after all of it was moved, and is sound as a whole', async () => {
    const moved: AuditEntry[] = [];
    for (let n = 0; n < 3; n += 1) {
      await act();
      const parcel = await spill.readParcel(ALL);
      moved.push(...parcel.entries);
      await forget(parcel);
    }
    expect(moved.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(await verify(moved)).toMatchObject({ ok: true, chains: 1 });
  });

  test('of an earlier process is named by the next one, and its row goes once it is moved', async () => {
    await act();
    await spill.close();
    spill = await openTestSpill(file);
    await act();
    expect(await spill.spillHeads()).toHaveLength(1);
    const parcel = await spill.readParcel(ALL);
    expect(await verify(parcel.entries)).toMatchObject({ ok: true, chains: 2 });
    await forget(parcel);
    const connection = new Connection(file);
    expect(connection.all('SELECT writer FROM audit_chains')).toHaveLength(1);
    connection.close();
    expect(await spill.spillHeads()).toEqual([]);
  });

  test('that is ended goes on nowhere and is named nowhere; one that is not moved yet stays', async () => {
    await act();
    const first = await spill.readParcel(ALL);
    await spill.endChains();
    await act();
    const whole = await spill.readParcel(ALL);
    expect(new Set(whole.entries.map(({ writer }) => writer)).size).toBe(1);
    await forget(whole);
    await spill.endChains();
    await act();
    const [start] = (await spill.readParcel(ALL)).entries;
    expect([start?.seq, start?.metadata['follows'], start?.writer === first.entries[0]?.writer]).toEqual([
      1,
      [],
      false,
    ]);
  });

  test('never begins twice under one name, though the thread that owns the file is another', () => {
    const connection = new Connection(file);
    const writer = uuidv7();
    const lane = new AuditLane({ writer, key: deriveAuditKey(new Secret(AUDIT_KEY)), started: true });
    const head = connection.transaction(() => lane.open(connection, Date.now()).close());
    connection.close();
    expect([head.seq, head.writer === writer]).toEqual([1, false]);
  });

  test('moves as it is, changed or not', async () => {
    await act();
    await act();
    const connection = new Connection(file);
    connection.run(`UPDATE audit_entries SET metadata = '{"n": 2}' WHERE seq = 2`);
    connection.close();
    const { entries } = await spill.readParcel(ALL);
    expect(entries[1]).toMatchObject({ metadataText: '{"n": 2}', metadata: { notAsSealed: '{"n": 2}' } });
    expect(await verify(entries)).toMatchObject({ ok: false });
  });
});

describe('a file', () => {
  test('that a receiver has served from is refused', async () => {
    const served = join(dir, 'served.db');
    const store = await SqliteStore.open({ file: served, writer: uuidv7(), auditKey: AUDIT_KEY, serve: false });
    await store.firstSeen(['a'], 1);
    await store.close();
    await expect(openTestSpill(served)).rejects.toMatchObject({
      name: 'SettingsError',
      faults: [
        expect.stringMatching(
          /^SPILL_DATABASE_URL: a receiver has served from .*; name another file, and move that one with store copy$/,
        ),
      ],
    });
  });

  test('that cannot be opened is told by the setting that names it', async () => {
    await expect(openTestSpill(dir)).rejects.toThrow(/^SPILL_DATABASE_URL: cannot open /);
  });

  test('belongs to one process, which the message says by its setting', async () => {
    await expect(openTestSpill(file)).rejects.toThrow(
      /^SPILL_DATABASE_URL: another receiver(?: \(process \d+\))? is serving from /,
    );
  });

  test('that is no spill moves nothing', async () => {
    const store = await SqliteStore.open({
      file: join(dir, 'plain.db'),
      writer: uuidv7(),
      auditKey: AUDIT_KEY,
      serve: false,
    });
    await expect(store.readParcel(ALL)).rejects.toThrow('the file was not opened as a spill');
    await store.close();
  });
});
