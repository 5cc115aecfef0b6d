import { EventEmitter, once } from 'node:events';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { addEvent, handlerOf, openStore } from '../support/make-store.ts';
import { endOf, runCommand, runJson, spawnCommand } from '../support/run-command.ts';
import { makeFolder } from '../support/start-receiver.ts';

const HOUR = 3_600_000;
const CAMPAIGN = '01993c5e-7b12-7a40-9d3f-5e8c21b7a604';
const NONE = { pending: 0, running: 0, done: 0, dead: 0, discarded: 0 };

const folder = makeFolder();
let store: SqliteStore;

interface Item {
  readonly id: string;
  readonly type: string;
  readonly deliveries: Readonly<Record<string, number>>;
}

const run = (...words: string[]) => runCommand(folder, ['events', ...words]);
const json = <T>(...words: string[]) => runJson<T>(folder, ['events', ...words]);
const listed = async (...words: string[]) => (await json<Item[]>('list', ...words)).map(({ id }) => id);

/** The entries of the command that was run last. */
async function lastEntries(count: number): Promise<AuditEntry[]> {
  return (await store.tailAudit(count)).entries;
}

beforeAll(async () => {
  store = await openStore(folder);
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('list', () => {
  const now = Date.now();
  const ids: Record<'old' | 'clicked' | 'label' | 'dead', string> = { old: '', clicked: '', label: '', dead: '' };
  const HOSTILE = '\u001b[2J"Wants\u202e a catalogue"\n';

  beforeAll(async () => {
    ids.old = await addEvent(
      store,
      makeAccept({ receivedAt: now - 10 * HOUR, type: 'email_sent', lead: 'a@one.example' }),
    );
    ids.clicked = await addEvent(
      store,
      makeAccept({
        receivedAt: now - 2 * HOUR,
        type: 'email_link_clicked',
        lead: 'a@one.example',
        campaignId: CAMPAIGN,
      }),
      { crm: 'done', sheet: 'done' },
    );
    ids.label = await addEvent(
      store,
      makeAccept({ receivedAt: now - HOUR, type: HOSTILE, lead: null, timestamp: null }),
    );
    ids.dead = await addEvent(store, makeAccept({ receivedAt: now, lead: 'b@one.example' }), {
      crm: 'dead',
      sheet: 'pending',
    });
  });

  test('is an array, newest first, with the facts of each', async () => {
    const items = await json<Item[]>('list');
    expect(items.map(({ id }) => id)).toEqual([ids.dead, ids.label, ids.clicked, ids.old]);
    expect(items[1]).toEqual({
      id: ids.label,
      receivedAt: new Date(now - HOUR).toISOString(),
      type: HOSTILE,
      rawType: HOSTILE,
      timestamp: null,
      lead: null,
      campaignId: null,
      principal: 'instantly:token:1',
      source: 'webhook',
      bytes: expect.any(Number),
      deliveries: NONE,
    });
    expect(items[2]).toMatchObject({
      timestamp: '2023-11-14T22:13:20.000Z',
      lead: 'a@one.example',
      campaignId: CAMPAIGN,
      deliveries: { ...NONE, done: 2 },
    });
    expect(items[0]?.deliveries).toEqual({ ...NONE, pending: 1, dead: 1 });
  });

  test.each<[string[], (keyof typeof ids)[]]>([
    [['--type', 'link_clicked'], ['clicked']],
    [['--type', 'email_link_clicked'], ['clicked']],
    [['--type', HOSTILE], ['label']],
    [
      ['--lead', ' A@One.Example '],
      ['clicked', 'old'],
    ],
    [['--campaign', CAMPAIGN], ['clicked']],
    [['--state', 'dead'], ['dead']],
    [['--state', 'done'], ['clicked']],
    [
      ['--since', '3h'],
      ['dead', 'label', 'clicked'],
    ],
    [
      ['--until', '90m'],
      ['clicked', 'old'],
    ],
    [['--since', '1d', '--until', '0.125d'], ['old']],
    [
      ['--since', new Date(now - HOUR).toISOString()],
      ['dead', 'label'],
    ],
    [
      ['--until', new Date(now - HOUR).toISOString()],
      ['clicked', 'old'],
    ],
    [['--since', String(now)], ['dead']],
    [['--lead', 'a@one.example', '--since', '3h'], ['clicked']],
    [['--lead', 'nobody@one.example'], []],
    [['--limit', '1'], ['dead']],
  ])('%j', async (words, expected) => {
    expect(await listed(...words)).toEqual(expected.map((name) => ids[name]));
  });

  test('for people: a table in which no character of a stranger does anything', async () => {
    const { code, stdout, stderr } = await run('list');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('\\u001b[2J"Wants\\u202e a catalogue"\\u000a');
    expect(stdout).toContain('1 pending, 1 dead');
    expect(stdout).toMatch(new RegExp(`a@one.example .* 2 done .* ${ids.clicked}`));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  test('for people: says so where there is more, and where there is nothing', async () => {
    expect((await run('list', '--limit', '2')).stderr).toBe('The newest 2; --limit shows more.\n');
    expect(await run('list', '--lead', 'nobody@one.example')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No event matches.\n',
    });
  });

  test('is audited without saying whose events were looked at', async () => {
    await run('list', '--lead', 'a@one.example', '--type', HOSTILE, '--since', '3h');
    const [start, entry] = await lastEntries(2);
    expect(start?.action).toBe('audit.chain.start');
    expect(entry).toMatchObject({
      action: 'event.list',
      userId: 'operator:tester',
      resource: 'event',
      result: 'success',
    });
    expect(entry?.metadata).toEqual({ eventType: 'custom', byLead: true, since: expect.any(String), events: 0 });
  });
});

describe('show', () => {
  test('gives the facts, the deliveries and the payload', async () => {
    await store.registerHandlers([handlerOf('crm'), handlerOf('sheet')]);
    const content = '{ "event_type":"reply_received",\t"n": 1.0, "reply_text": "Sch\u00f6n \\u0007 \u009b2J" }';
    const id = await addEvent(store, makeAccept({ content }), { crm: 'dead', sheet: 'done' });
    const shown = await json<Record<string, unknown>>('show', id);
    expect(shown).toMatchObject({ id, type: 'reply_received', deliveries: { ...NONE, done: 1, dead: 1 } });
    expect(shown['payload']).toEqual(JSON.parse(content));
    expect(shown['runs']).toEqual([
      {
        handler: 'crm',
        state: 'dead',
        attempts: 1,
        nextAt: null,
        lastError: 'crm gave up',
        updatedAt: expect.any(String),
      },
      { handler: 'sheet', state: 'done', attempts: 1, nextAt: null, lastError: null, updatedAt: expect.any(String) },
    ]);

    const { code, stdout } = await run('show', id);
    expect(code).toBe(0);
    expect(stdout).toContain('"reply_text": "Sch\u00f6n \\u0007 \\u009b2J"');
    expect(stdout).toContain('crm gave up');
    expect(stdout).toMatch(/proven by +instantly:token:1\n/);

    expect((await run('show', id, '--raw')).stdout).toBe(content);
    const [, entry] = await lastEntries(2);
    expect(entry).toMatchObject({ action: 'event.show', userId: 'operator:tester', metadata: { eventId: id } });
  });

  test('shows what JSON.stringify cannot lay out as it came', async () => {
    const deep = `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    const id = await addEvent(store, makeAccept({ content: deep }));
    const { code, stdout } = await run('show', id);
    expect(code).toBe(0);
    expect(stdout).toContain(deep);
    const { code: jsonCode, stdout: none, stderr } = await run('show', id, '--json');
    expect([jsonCode, none]).toEqual([1, '']);
    expect(stderr).toBe('error: the payload is nested too deeply to be printed as JSON; --raw writes it as it came\n');
  });

  test('an id that is none ends with 1', async () => {
    expect(await run('show', 'none')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: there is no event with the id none\n',
    });
  });
});

describe('replay', () => {
  const lead = 'c@one.example';
  const states = async (...ids: string[]) =>
    Promise.all(
      ids.map(async (id) =>
        Object.fromEntries(((await store.findEvent(id))?.runs ?? []).map((r) => [r.handler, r.state])),
      ),
    );
  let done = '';
  let dead = '';

  beforeEach(async () => {
    await store.registerHandlers([handlerOf('crm'), handlerOf('sheet')]);
    done = await addEvent(store, makeAccept({ lead }), { crm: 'done', sheet: 'done' });
    dead = await addEvent(store, makeAccept({ lead, type: 'email_bounced' }), { crm: 'done', sheet: 'dead' });
  });

  test('of one event by its id', async () => {
    expect(await json('replay', done)).toEqual({ dryRun: false, matched: 1, events: 1, deliveries: 2 });
    expect(await states(done, dead)).toEqual([
      { crm: 'pending', sheet: 'pending' },
      { crm: 'done', sheet: 'dead' },
    ]);
    const [, entry] = await lastEntries(2);
    expect(entry).toMatchObject({
      action: 'event.replay',
      userId: 'operator:tester',
      resource: 'event',
      result: 'success',
    });
    expect(entry?.metadata).toEqual({ eventId: done, events: 1, deliveries: 2 });
  });

  test('of several, by one handler, in words', async () => {
    const { code, stdout, stderr } = await run('replay', done, dead, '--handler', 'sheet');
    expect([code, stdout, stderr]).toEqual([0, '2 deliveries of 2 events will run again.\n', '']);
    expect(await states(done, dead)).toEqual([
      { crm: 'done', sheet: 'pending' },
      { crm: 'done', sheet: 'pending' },
    ]);
  });

  test('also by handlers that were added since', async () => {
    await store.registerHandlers([handlerOf('crm'), handlerOf('new')]);
    expect(await json('replay', done, '--handler', 'new')).toMatchObject({ events: 1, deliveries: 1 });
    expect(await states(done)).toEqual([{ crm: 'done', sheet: 'done', new: 'pending' }]);
  });

  test('of what matches a filter, and of nothing else', async () => {
    expect(await json('replay', '--type', 'email_bounced', '--lead', lead, '--dry-run')).toMatchObject({
      dryRun: true,
    });
    expect(await states(dead)).toEqual([{ crm: 'done', sheet: 'dead' }]);
    await json('replay', '--type', 'email_bounced', '--lead', lead);
    expect(await states(done, dead)).toEqual([
      { crm: 'done', sheet: 'done' },
      { crm: 'pending', sheet: 'pending' },
    ]);
  });

  test('with --state dead, of the dead deliveries alone', async () => {
    await json('replay', '--state', 'dead', '--lead', lead);
    expect(await states(done, dead)).toEqual([
      { crm: 'done', sheet: 'done' },
      { crm: 'done', sheet: 'pending' },
    ]);
  });

  test('--dry-run says how many and changes nothing', async () => {
    const before = await states(done, dead);
    const events = (await store.listEvents({ limit: 10_000 })).length;
    expect(await json('replay', '--all', '--dry-run')).toEqual({ dryRun: true, matched: events });
    expect((await run('replay', done, '--dry-run')).stdout).toBe('1 event would be replayed.\n');
    expect(await states(done, dead)).toEqual(before);
  });

  test('leaves alone what has yet to end, and says so', async () => {
    await json('replay', done);
    const { code, stdout, stderr } = await run('replay', done);
    expect([code, stdout]).toEqual([0, '0 deliveries of 0 events will run again.\n']);
    // On a busy machine a line of progress comes first.
    expect(stderr).toMatch(/(^|\n)1 event left alone: without a handler, or with deliveries that have yet to end\.\n$/);
  });

  test('an id that is none, or a handler that is none, replays nothing', async () => {
    const before = await states(done);
    expect(await run('replay', done, 'none')).toEqual({
      code: 1,
      stdout: '',
      // On a busy machine a line of progress comes first.
      stderr: expect.stringMatching(/(?:^|\n)error: there is no event with the id none; nothing was replayed\n$/),
    });
    expect(await run('replay', done, '--handler', 'gone')).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/(?:^|\n)error: no handler named gone .*: crm, sheet\n\(see --help\)\n$/),
    });
    expect(await states(done)).toEqual(before);
  });

  test('--all takes every event, in as many steps as it needs', async () => {
    const many = 1_100;
    const accepts = Array.from({ length: many }, () => makeAccept({ lead: null }));
    await store.commit(makeBatch({ accepts }));
    const events = (await store.listEvents({ limit: 10_000 })).length;
    const totals = await json<{ matched: number; events: number }>('replay', '--all');
    expect(totals.matched).toBe(events);
    expect(totals.events).toBeGreaterThanOrEqual(many);
    expect((await store.counts()).deliveries).toMatchObject({ done: 0, dead: 0 });
    const steps = (await lastEntries(10)).filter(({ action }) => action === 'event.replay');
    expect(steps.reduce((sum, { metadata }) => sum + Number(metadata['events']), 0)).toBe(totals.events);
    expect(steps.length).toBe(Math.ceil(events / 500));
  });

  test('SIGINT ends it between two steps, and what was done by then is told', async () => {
    const many = 10_000;
    for (let made = 0; made < many; made += 1_000) {
      const accepts = Array.from({ length: 1_000 }, () => makeAccept({ lead: null, type: 'email_opened' }));
      await store.commit(makeBatch({ accepts }));
    }
    await store.registerHandlers([{ handler: 'late', events: ['email_opened'], ordered: false }]);
    const before = await store.counts();
    const changed = new EventEmitter();
    store.onForeignChange(() => changed.emit('change'));
    const child = spawnCommand(folder, ['events', 'replay', '--type', 'email_opened', '--json']);
    const ended = endOf(child);
    do await once(changed, 'change');
    while ((await store.counts()).deliveries.pending === before.deliveries.pending);
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    const { deliveries } = JSON.parse(stdout) as { deliveries: number };
    expect((await store.counts()).deliveries.pending).toBe(before.deliveries.pending + deliveries);
    expect(deliveries).toBeLessThan(many);
  });
});
