import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept } from '../contract/make-parts.ts';
import { addEvent, handlerOf, openStore } from '../support/make-store.ts';
import { runCommand, runJson } from '../support/run-command.ts';
import { makeFolder } from '../support/start-receiver.ts';

let folder = '';
let store: SqliteStore;
let ids: string[] = [];

const run = (...words: string[]) => runCommand(folder, ['dead', ...words]);
const json = <T>(...words: string[]) => runJson<T>(folder, ['dead', ...words]);
const counts = async () => (await store.counts()).deliveries;

beforeEach(async () => {
  folder = makeFolder();
  store = await openStore(folder);
  await store.registerHandlers([handlerOf('crm'), handlerOf('sheet')]);
  ids = [
    await addEvent(store, makeAccept({ type: 'email_sent' }), { crm: 'dead', sheet: 'done' }),
    await addEvent(store, makeAccept({ type: 'email_opened' }), { crm: 'dead', sheet: 'dead' }),
    await addEvent(store, makeAccept({ type: 'email_bounced' }), { crm: 'done', sheet: 'dead' }),
  ];
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test('list is an array, newest first, with why each died', async () => {
  const dead = await json<Record<string, unknown>[]>('list');
  expect(dead.map(({ eventId, handler }) => [eventId, handler])).toEqual([
    [ids[2], 'sheet'],
    [ids[1], 'sheet'],
    [ids[1], 'crm'],
    [ids[0], 'crm'],
  ]);
  expect(dead[0]).toEqual({
    eventId: ids[2],
    type: 'email_bounced',
    lead: 'lead@one.example',
    handler: 'sheet',
    state: 'dead',
    attempts: 1,
    lastError: 'sheet gave up',
    diedAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(await json('list', '--handler', 'crm', '--limit', '1')).toMatchObject([{ eventId: ids[1], handler: 'crm' }]);
  const { stdout, stderr } = await run('list', '--limit', '2');
  expect(stdout).toMatch(
    new RegExp(`│ dead +│ sheet +│ email_bounced │ lead@one.example │ +1 │ sheet gave up │ ${ids[2]} │`),
  );
  expect(stderr).toBe('The newest 2; --limit shows more.\n');
});

test('replay of the events named takes their dead deliveries and no other', async () => {
  expect(await json('replay', ids[0] ?? '', ids[1] ?? '')).toEqual({ events: 2, deliveries: 3 });
  expect(await counts()).toEqual({ pending: 3, running: 0, done: 2, dead: 1, discarded: 0 });
  const { entries } = await store.tailAudit(1);
  expect(entries).toMatchObject([
    { action: 'dead.replay', userId: 'operator:tester', resource: 'dead', metadata: { events: 2, deliveries: 3 } },
  ]);
});

test('replay of a handler takes its own, and of an event with it only those of both', async () => {
  expect(await json('replay', ids[1] ?? '', '--handler', 'sheet')).toEqual({ events: 1, deliveries: 1 });
  expect((await run('replay', '--handler', 'sheet')).stdout).toBe('1 dead delivery of 1 event will run again.\n');
  expect(await json('list')).toMatchObject([
    { eventId: ids[1], handler: 'crm' },
    { eventId: ids[0], handler: 'crm' },
  ]);
});

test('replay --all takes all of them, and the second time there are none', async () => {
  expect(await json('replay', '--all')).toEqual({ events: 3, deliveries: 4 });
  expect(await counts()).toEqual({ pending: 4, running: 0, done: 2, dead: 0, discarded: 0 });
  expect(await json('replay', '--all')).toEqual({ events: 0, deliveries: 0 });
  expect(await run('list')).toEqual({ code: 0, stdout: '', stderr: 'No delivery is dead or orphaned.\n' });
});

test('an event that has none, or a handler that is none, replays nothing', async () => {
  expect(await run('replay', ids[0] ?? '', 'none')).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(
      'error: no dead delivery belongs to an event with the id none; nothing was replayed\n',
    ),
  });
  expect(await run('replay', '--handler', 'gone')).toEqual({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(
      'error: no handler named gone is registered; there are: crm, sheet\n(see --help)\n',
    ),
  });
  expect((await counts()).dead).toBe(4);
});

describe('deliveries of a handler that is gone', () => {
  beforeEach(async () => {
    await addEvent(store, makeAccept({ type: 'email_sent' }), { sheet: 'pending' });
    await store.registerHandlers([handlerOf('crm')]);
  });
  const why = 'to a handler that no longer exists (sheet): put its file back, or end';

  test('are listed as orphaned', async () => {
    const dead = await json<Record<string, unknown>[]>('list');
    expect(dead.map(({ handler, state }) => `${handler} ${state}`)).toEqual([
      'sheet orphaned',
      'sheet orphaned',
      'sheet orphaned',
      'crm dead',
      'crm dead',
    ]);
    expect(dead[0]).toMatchObject({ diedAt: null, attempts: 0 });
  });

  test('are refused by every replay, with the reason and the ways out', async () => {
    expect(await run('replay', '--handler', 'sheet')).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(
        `error: 3 deliveries belong ${why} them with "dead discard --handler sheet"; nothing was replayed\n`,
      ),
    });
    expect(await run('replay', ids[2] ?? '')).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(
        `error: 1 delivery belongs ${why} it with "dead discard ${ids[2]}"; nothing was replayed\n`,
      ),
    });
    const all = await run('replay', '--all');
    expect(all.stdout).toBe('2 dead deliveries of 2 events will run again.\n');
    expect(all.stderr).toContain(`Left alone: 3 deliveries belong ${why} them`);
    expect(
      await runCommand(folder, ['events', 'replay', '--type', 'email_bounced', '--handler', 'sheet']),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(why),
    });
    expect((await counts()).pending).toBe(3);
  });

  test('are ended by discard, which needs --yes without a terminal', async () => {
    expect(await run('discard', '--handler', 'sheet')).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('it needs --yes'),
    });
    expect(await json('discard', '--handler', 'sheet', '--yes')).toEqual({ events: 3, deliveries: 3 });
    expect(await counts()).toMatchObject({ pending: 0, dead: 2, discarded: 3 });
    const { entries } = await store.tailAudit(1);
    expect(entries).toMatchObject([
      { action: 'dead.discard', resource: 'dead', metadata: { handler: 'sheet', events: 3, deliveries: 3 } },
    ]);
    expect((await run('discard', ids[0] ?? '', '--yes')).stdout).toBe('1 dead delivery of 1 event is discarded.\n');
    expect((await run('discard', 'none', '--yes')).code).toBe(1);
    expect((await run('discard', '--yes')).code).toBe(2);
    expect(await json('discard', '--all', '--yes')).toEqual({ events: 1, deliveries: 1 });
  });
});

test('replay --all goes past dead deliveries of other handlers, in as many steps as it needs', async () => {
  const many = 1_200;
  for (let made = 0; made < many; made += 400) {
    const accepts = Array.from({ length: 400 }, () => ({
      ...makeAccept({ lead: null }),
      routes: [{ handler: 'crm', ordered: false }],
    }));
    await store.commit({ accepts, quarantines: [], outcomes: [], audits: [] });
  }
  await addEvent(store, makeAccept(), { crm: 'dead' });
  const now = Date.now();
  const { deliveries } = await store.claim({
    now,
    places: [{ handler: 'crm', limit: many }],
    lease: 'l',
    leaseUntil: now + 60_000,
  });
  const { draft } = makeAccept().audit;
  const outcomes = deliveries.map(({ deliveryId, lease }) => ({
    deliveryId,
    lease,
    at: now,
    next: { state: 'dead' as const, error: 'gave up' },
    audit: draft,
  }));
  await store.commit({ accepts: [], quarantines: [], outcomes, audits: [] });
  expect(await json('replay', '--handler', 'sheet')).toEqual({ events: 2, deliveries: 2 });
  expect(await json('replay', '--all')).toEqual({ events: many + 3, deliveries: many + 3 });
  expect((await counts()).dead).toBe(0);
  const { entries } = await store.tailAudit(3);
  expect(entries.map(({ metadata }) => metadata['events'])).toEqual([500, 500, many + 3 - 1_000]);
});
