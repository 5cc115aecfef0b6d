import { rmSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake } from '../support/call-fake.ts';
import { openStore } from '../support/make-store.ts';
import { type CommandOptions, runCommand, runJson } from '../support/run-command.ts';
import { type Front, startFront } from '../support/start-front.ts';
import { makeFolder } from '../support/start-receiver.ts';

const OWNER = 'Olga Owner';
const CORRELATE = ['audit', 'correlate'];

interface Told {
  readonly time: string;
  readonly log: 'receiver' | 'instantly';
  readonly what: string;
  readonly verdict?: string;
  readonly explainedBy?: string | null;
  readonly id: string;
  readonly operation?: string | null;
}

let folder = '';
let fake: FakeInstantly;
let front: Front | undefined;
let options: CommandOptions = {};
/** Behind what the set-up left in Instantly's log. */
let since = '';

beforeEach(async () => {
  folder = makeFolder();
  await (await openStore(folder)).close();
  fake = await startFakeInstantly({
    workspace: { ownerName: OWNER },
    keys: [
      { name: 'reader', scopes: ['webhooks:read', 'audit_logs:read', 'api_keys:read'] },
      { name: 'narrow', scopes: ['webhooks:read', 'audit_logs:read'] },
      { name: 'writer', scopes: ['webhooks:update', 'webhooks:delete'] },
    ],
    webhooks: [
      { target_hook_url: 'http://127.0.0.1:1/a', event_type: 'all_events' },
      { target_hook_url: 'http://127.0.0.1:1/b', event_type: 'email_sent' },
    ],
  });
  const last = Date.parse(fake.auditLog().at(-1)?.timestamp ?? '');
  while (Date.now() <= last) await nextTurn();
  since = new Date().toISOString();
  options = {
    env: {
      INSTANTLY_API_URL: fake.url,
      INSTANTLY_READ_KEY: String(fake.keys['reader']),
      INSTANTLY_WRITE_KEY: String(fake.keys['writer']),
    },
  };
});

afterEach(async () => {
  await front?.stop();
  front = undefined;
  await fake.close();
  rmSync(folder, { recursive: true, force: true });
});

const [first, second] = [() => String(fake.webhooks()[0]?.id), () => String(fake.webhooks()[1]?.id)];
const run = (...words: string[]) => runCommand(folder, words, options);
const correlate = (...words: string[]) => runJson<Told[]>(folder, [...CORRELATE, ...words], options);
/** Of what has happened since the set-up. */
const news = (...words: string[]) => correlate('--since', since, ...words);

async function ok(...words: string[]): Promise<void> {
  const { code, stderr } = await run(...words);
  if (code !== 0) throw new Error(stderr);
}

const theirs = (list: readonly Told[]) =>
  list.filter(({ log }) => log === 'instantly').map(({ what, verdict }) => `${what}: ${verdict}`);

describe('what was done at Instantly', () => {
  test('is ours, by others, or by itself; merged by time with what we logged', async () => {
    await ok('webhooks', 'resume', first());
    await ok('webhooks', 'delete', second(), '--other');
    await callFake(fake, `PATCH /webhooks/${first()}`, { body: { name: 'renamed' } });
    await callFake(fake, 'POST /api-keys', { body: { name: 'new', scopes: ['all:all'] } });
    fake.disable(first());
    const list = await news();
    expect(theirs(list)).toEqual([
      'webhook resumed: ours',
      'webhook deleted: ours',
      'webhook updated: someone else',
      'API key created: someone else',
      'webhook disabled after failures: instantly',
    ]);
    expect(list.map(({ time }) => time)).toEqual(list.map(({ time }) => time).toSorted());
    const ours = list.filter(({ log }) => log === 'receiver').map(({ what, operation }) => [what, operation]);
    expect(ours).toEqual([
      ['instantly.api.call', 'webhooks.resume'],
      ['webhook.resume', null],
      ['instantly.api.call', 'webhooks.delete'],
      ['webhook.delete', null],
    ]);
    const resumed = list.find(({ what }) => what === 'webhook resumed');
    expect(list.find(({ id }) => id === resumed?.explainedBy)).toMatchObject({ operation: 'webhooks.resume' });
  });

  test('by our kind of call at our time with another key is by someone else', async () => {
    const [called] = await Promise.all([
      callFake(fake, `POST /webhooks/${first()}/resume`),
      ok('webhooks', 'resume', second()),
    ]);
    expect(called.status).toBe(200);
    const list = await news();
    expect(theirs(list).toSorted()).toEqual(['webhook resumed: ours', 'webhook resumed: someone else']);
    // Without the ids of our keys the times decide, and one call explains one thing.
    options = { env: { ...options.env, INSTANTLY_READ_KEY: String(fake.keys['narrow']) } };
    const { stdout, stderr } = await run(...CORRELATE, '--since', since, '--json');
    expect(stderr).toContain('lacks the scope api_keys:read (403)');
    expect(theirs(JSON.parse(stdout) as Told[]).toSorted()).toEqual([
      'webhook resumed: ours',
      'webhook resumed: someone else',
    ]);
  });

  test('though its answer was lost', async () => {
    fake.fail('POST /webhooks/{id}/resume', { afterwards: 'drop' });
    await ok('webhooks', 'resume', first());
    expect(theirs(await news())).toEqual(['webhook resumed: ours', 'webhook resumed: ours']);
  });

  test('is told by our clock', async () => {
    front = await startFront(fake.url, { aheadMs: 600_000 });
    // An answer states whole seconds, so by our clock a change may seem later than it was, and than this command.
    await fake.advance(604_000);
    options = { env: { ...options.env, INSTANTLY_API_URL: front.url } };
    await ok('webhooks', 'resume', first());
    const list = await correlate();
    const resumed = list.find(({ what }) => what === 'webhook resumed');
    expect(resumed?.verdict).toBe('ours');
    expect(Date.parse(resumed?.time ?? '')).toBeLessThanOrEqual(Date.now());
  });

  test('by a clock that is a little ahead is told, too', async () => {
    await fake.advance(1_000);
    await callFake(fake, `PATCH /webhooks/${first()}`, { body: { name: 'renamed' } });
    expect(theirs(await news())).toEqual(['webhook updated: someone else']);
  });

  test('outside of the window is left out', async () => {
    await ok('webhooks', 'resume', first());
    const after = new Date(Date.now() + 1_000).toISOString();
    expect(await correlate('--since', after, '--until', new Date(Date.now() + 60_000).toISOString())).toEqual([]);
    expect(await correlate('--since', '2d', '--until', '1d')).toEqual([]);
    const created = 'webhook created: someone else';
    expect(theirs(await correlate())).toEqual([created, created, 'webhook resumed: ours']);
    expect(theirs(await correlate('--since', '1h', '--until', since))).toEqual([created, created]);
  });
});

describe('the command', () => {
  test('ends with 0, with --strict with 1 where somebody else did something', async () => {
    expect((await run(...CORRELATE, '--since', since, '--strict')).code).toBe(0);
    await callFake(fake, `PATCH /webhooks/${first()}`, { body: { name: 'renamed' } });
    expect((await run(...CORRELATE, '--since', since)).code).toBe(0);
    const { code, stdout, stderr } = await run(...CORRELATE, '--since', since, '--strict');
    expect(code).toBe(1);
    expect(stdout).toContain('SOMEONE ELSE');
    expect(stderr).toBe('1 thing was done to webhooks or keys that no call of this receiver explains.\n');
  });

  test('names who it was to people alone, and where it was not us alone', async () => {
    await ok('webhooks', 'resume', first());
    expect((await run(...CORRELATE, '--since', since)).stdout).not.toContain(OWNER);
    await callFake(fake, `PATCH /webhooks/${first()}`, { body: { name: 'renamed' } });
    const { stdout } = await run(...CORRELATE, '--since', since);
    expect(stdout.match(new RegExp(OWNER, 'g'))).toHaveLength(1);
    expect(stdout).toContain(`${OWNER}, key `);
    expect(stdout).toContain('from 127.0.0.1');
    const json = JSON.stringify(await news());
    const entries = JSON.stringify(await runJson(folder, ['audit', 'tail', '--limit', '1000'], options));
    for (const text of [json, entries]) expect(text).not.toMatch(new RegExp(`${OWNER}|127\\.0\\.0\\.1`));
  });

  test('leaves an entry with counts, and of each call', async () => {
    await callFake(fake, 'POST /api-keys', { body: { name: 'new', scopes: ['all:all'] } });
    await news();
    const entries = await runJson<AuditEntry[]>(folder, ['audit', 'tail', '--limit', '1000'], options);
    const called = entries.filter(({ action }) => action === 'instantly.api.call');
    expect(new Set(called.map(({ metadata }) => metadata['operation']))).toEqual(
      new Set(['api-keys.list', 'audit-logs.list']),
    );
    expect(entries.at(-1)).toMatchObject({
      action: 'audit.correlate',
      userId: 'operator:tester',
      result: 'success',
      metadata: { activities: 1, entries: 0, someoneElse: 1 },
    });
  });

  test('reads all pages of a long log', async () => {
    for (let times = 0; times < 230; times += 1) {
      await callFake(fake, `PATCH /webhooks/${first()}`, { body: { name: `name ${times}` } });
    }
    expect(theirs(await news())).toHaveLength(230);
  });

  test('refuses a window that ends before it begins, and says what it lacks', async () => {
    const { code, stderr } = await run(...CORRELATE, '--since', '1d', '--until', '2d');
    expect([code, stderr]).toEqual([2, expect.stringContaining('--since must be before --until')]);
    options = { env: { INSTANTLY_API_URL: fake.url } };
    const without = await run(...CORRELATE);
    expect([without.code, without.stderr]).toEqual([78, expect.stringContaining('INSTANTLY_READ_KEY is not set')]);
    options = { env: { INSTANTLY_API_URL: fake.url, INSTANTLY_READ_KEY: String(fake.keys['writer']) } };
    const forbidden = await run(...CORRELATE);
    expect([forbidden.code, forbidden.stderr]).toEqual([1, expect.stringContaining('lacks the scope audit_logs:read')]);
  });

  test('has its help', async () => {
    const { code, stdout } = await run(...CORRELATE, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('--strict');
    expect(stdout).toContain('--json');
  });
});
