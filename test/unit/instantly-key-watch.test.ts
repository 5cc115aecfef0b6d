import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { draft } from '../../src/audit/make-draft.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import type { InstantlyApiError } from '../../src/instantly/api-error.ts';
import { KeyWatch } from '../../src/instantly/key-watch.ts';
import { openAccounts } from '../../src/instantly/open-accounts.ts';
import { SecretAges } from '../../src/secret-ages.ts';
import { callFake } from '../support/call-fake.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 10, 20, 12);
const READING = ['webhooks:read', 'webhook_events:read', 'campaigns:read', 'api_keys:read', 'audit_logs:read'];
const NEVER = new AbortController().signal;

let under: TestStore;
let fake: FakeInstantly;
let now: number;

beforeEach(async () => {
  under = await createTestStore();
  now = NOW;
  fake = await startFakeInstantly({
    now: () => NOW - 100 * DAY_MS,
    keys: [
      { name: 'reader', scopes: READING },
      { name: 'blind', scopes: ['webhooks:read'] },
      { name: 'writer', scopes: ['webhooks:create', 'webhooks:update', 'webhooks:delete'] },
      { name: 'wide', scopes: ['webhooks:update', 'webhooks:create', 'leads:delete', 'all:update'] },
    ],
  });
});

afterEach(async () => {
  await fake.close();
  await under.remove();
});

function settingsFor(nodeEnv: string, keys: Readonly<Record<string, string>>, more: NodeJS.ProcessEnv = {}): Settings {
  const tokens = Object.entries(keys).map(([name, key]) => [`INSTANTLY_${name}_KEY`, fake.keys[key] ?? key]);
  return loadSettings({
    env: {
      NODE_ENV: nodeEnv,
      INSTANTLY_API_URL: fake.url,
      INSTANTLY_WEBHOOK_TOKEN: 'token-of-the-settings-0001',
      AUDIT_KEY: 'audit-key-of-this-test-000001',
      ...Object.fromEntries(tokens),
      ...more,
    },
    cwd: under.dir,
    create: false,
  });
}

interface Line {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/** A process: each has a log of its own. */
function start(settings: Settings, owner = 'one') {
  const lines: Line[] = [];
  const log =
    (level: Line['level']) =>
    (...words: unknown[]): void => {
      lines.push({ level, message: String(words.at(-1)) });
    };
  const made = new Map<string, number>();
  const watch = new KeyWatch({
    store: under.store,
    settings: () => settings,
    owner,
    record: () => undefined,
    onMade: (madeAt) => {
      for (const [name, at] of madeAt) made.set(name, at);
    },
    logger: { info: log('info'), warn: log('warn') },
    now: () => now,
  });
  return { watch, lines, made };
}

/** A call of ours, so many days ago. */
const called = (days: number, operation: string, setting: string, reason = 'ok') =>
  under.store.commit({
    accepts: [],
    quarantines: [],
    outcomes: [],
    audits: [
      draft({
        action: 'instantly.api.call',
        userId: 'service',
        resource: '/api/v2',
        result: reason === 'ok' ? 'success' : 'failure',
        metadata: { operation, setting, reason },
        at: NOW - days * DAY_MS,
      }),
    ],
  });

describe('what a key may do', () => {
  test.each([
    ['development', { READ: 'read' }, {}],
    ['development', { API: 'all' }, { INSTANTLY_API_KEY: ['all:all'] }],
    ['staging', { READ: 'read', WRITE: 'writer' }, { INSTANTLY_WRITE_KEY: ['webhooks:delete'] }],
    ['production', { READ: 'reader', WRITE: 'writer' }, {}],
    [
      'production',
      { READ: 'read', WRITE: 'wide' },
      { INSTANTLY_READ_KEY: ['all:read'], INSTANTLY_WRITE_KEY: ['leads:delete', 'all:update'] },
    ],
  ] as const)('%s with %j: too much is %j', async (nodeEnv, keys, expected) => {
    const { watch, lines } = start(settingsFor(nodeEnv, keys));
    await watch.round();
    const found = [...watch.excess].filter(([, scopes]) => scopes.length > 0);
    expect(Object.fromEntries(found)).toEqual(expected);
    expect([...watch.excess.keys()]).toHaveLength(Object.keys(keys).length);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(Object.keys(expected).length);
    for (const [setting, scopes] of Object.entries(expected)) {
      const line = lines.find(({ message }) => message.includes(`the key in ${setting}`))?.message;
      expect(line).toContain(`more than ${nodeEnv} may hold: drop ${scopes.join(', ')};`);
      expect(line).toContain('at Instantly under Settings > Integrations > API keys');
    }
    for (const text of Object.values(fake.keys)) expect(JSON.stringify(lines)).not.toContain(text);
  });

  test('is said at each start and then daily, by one of all processes', async () => {
    const settings = settingsFor('production', { READ: 'read' });
    const processes = [start(settings, 'one'), start(settings, 'two')];
    const warned = async (): Promise<number[]> => {
      for (const { watch } of processes) await watch.round();
      return processes.map(({ lines }) => lines.splice(0).filter(({ level }) => level === 'warn').length);
    };
    expect(await warned()).toEqual([1, 1]);
    now += DAY_MS - 1;
    expect(await warned()).toEqual([0, 0]);
    now += 1;
    expect(await warned()).toEqual([1, 0]);
    processes.push(start(settings, 'three'));
    expect(await warned()).toEqual([0, 0, 1]);
    // A clock that was set back does not silence it.
    now -= 10 * DAY_MS;
    expect((await warned()).reduce((sum, one) => sum + one)).toBe(1);
  });

  test('is found with the key that may list keys, whichever it is', async () => {
    const { watch, lines } = start(settingsFor('production', { READ: 'blind', WRITE: 'all' }));
    await watch.round();
    expect(watch.excess.get('INSTANTLY_WRITE_KEY')).toEqual(['all:all']);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('is not known without api_keys:read, which is said once and is no alarm', async () => {
    const { watch, lines } = start(settingsFor('production', { READ: 'blind' }));
    for (let day = 0; day < 3; day += 1) {
      await watch.round();
      now += DAY_MS;
    }
    expect(lines).toEqual([
      {
        level: 'info',
        message: 'the API keys cannot be listed with the key in INSTANTLY_READ_KEY: the key lacks api_keys:read',
      },
    ]);
    expect([...watch.excess]).toEqual([]);
  });

  test('is asked again where Instantly was away', async () => {
    const { watch } = start(settingsFor('production', { READ: 'read' }));
    fake.fail('GET /api-keys', { status: 429, retryAfter: 120 });
    await expect(watch.round()).rejects.toThrow('(429)');
    await watch.round();
    expect(watch.excess.get('INSTANTLY_READ_KEY')).toEqual(['all:read']);
  });

  test('its age is what Instantly says', async () => {
    const { watch, made } = start(settingsFor('production', { READ: 'reader', WRITE: 'writer' }));
    await watch.round();
    expect([...made]).toEqual([
      ['INSTANTLY_READ_KEY', NOW - 100 * DAY_MS],
      ['INSTANTLY_WRITE_KEY', NOW - 100 * DAY_MS],
    ]);
  });
});

describe('what a key was used for', () => {
  const settings = () => settingsFor('production', { READ: 'reader', WRITE: 'writer' });
  const unused = (lines: readonly Line[]) => lines.filter(({ message }) => message.includes('has not used'));

  test('names the scopes to drop once a week, however often a process restarts', async () => {
    await called(31, 'webhooks.delete', 'INSTANTLY_WRITE_KEY');
    await called(29, 'webhooks.list', 'INSTANTLY_READ_KEY');
    await called(1, 'webhooks.create', 'INSTANTLY_WRITE_KEY');
    await called(1, 'webhooks.update', 'INSTANTLY_WRITE_KEY', 'scope');
    await called(1, 'webhooks.delete', 'INSTANTLY_READ_KEY');
    const said: number[] = [];
    for (let day = 0; day < 15; day += 1) {
      const { watch, lines } = start(settings(), `process-${day}`);
      await watch.round();
      said.push(unused(lines).length);
      if (day === 0) {
        expect(unused(lines)).toEqual([
          {
            level: 'warn',
            message: expect.stringMatching(
              /^the key in INSTANTLY_READ_KEY has not used in 30 days: webhook_events:read .*campaigns:read .*audit_logs:read .*; drop .* with webhooks:read, and run /,
            ),
          },
          {
            level: 'warn',
            message: expect.stringMatching(
              /^the key in INSTANTLY_WRITE_KEY has not used in 30 days: webhooks:update \(for .*\), webhooks:delete \(for webhooks delete\); drop webhooks:update, webhooks:delete .* with webhooks:create, and run "instantly-receiver secrets rotate --api-key --setting INSTANTLY_WRITE_KEY"$/,
            ),
          },
        ]);
      }
      now += DAY_MS;
    }
    expect(said).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 2]);
  });

  test('counts what another program does with the same key, by the log of Instantly', async () => {
    await called(31, 'webhooks.list', 'INSTANTLY_READ_KEY');
    now = fake.now();
    await under.store.commit({
      accepts: [],
      quarantines: [],
      outcomes: [],
      audits: [
        draft({
          action: 'service.start',
          userId: 'service',
          resource: 'service',
          result: 'success',
          at: now - 40 * DAY_MS,
        }),
      ],
    });
    await callFake(fake, 'POST /webhooks', {
      key: String(fake.keys['writer']),
      body: { target_hook_url: 'https://other.example/', event_type: 'all_events' },
    });
    const { watch, lines } = start(settings());
    await watch.round();
    const line = unused(lines).find(({ message }) => message.includes('WRITE_KEY'))?.message;
    expect(line).toContain('drop webhooks:update, webhooks:delete where');
  });

  test('waits for a week of the audit log, and warns after a month of it', async () => {
    await called(6, 'webhooks.list', 'INSTANTLY_READ_KEY');
    const first = start(settings());
    await first.watch.round();
    expect(unused(first.lines)).toEqual([]);
    now += 2 * DAY_MS;
    await first.watch.round();
    expect(unused(first.lines).map(({ level }) => level)).toEqual(['info', 'info']);
    expect(unused(first.lines)[0]?.message).toContain('in 8 days: ');
    expect(unused(first.lines)[0]?.message).toContain('(30 days are needed to tell)');
  });

  test('in development reading is right, used or not', async () => {
    await called(31, 'webhooks.list', 'INSTANTLY_READ_KEY');
    const { watch, lines } = start(settingsFor('development', { READ: 'read' }));
    await watch.round();
    expect(unused(lines)).toEqual([]);
  });
});

describe('INSTANTLY_SCOPES=strict', () => {
  const strict = { INSTANTLY_SCOPES: 'strict' };
  const readerOf = ({ instantly }: Settings, reasons: unknown[] = []) => {
    const { reader, writer } = openAccounts(instantly, 'service', (entry) => {
      reasons.push(entry.metadata['reason']);
    });
    if (reader === undefined) throw new Error('no key, no reader');
    return { reader, writer };
  };
  const failureOf = (call: Promise<unknown> | undefined) =>
    Promise.resolve(call).then(
      () => 'ok',
      ({ failure, message }: InstantlyApiError) => `${failure}: ${message}`,
    );

  test('a key with excess scopes is not used: the call fails, names the fault, and is audited', async () => {
    const reasons: unknown[] = [];
    const { reader, writer } = readerOf(settingsFor('production', { READ: 'reader', WRITE: 'wide' }, strict), reasons);
    expect(await failureOf(reader.webhooks(NEVER))).toBe('ok');
    const refused = await failureOf(writer?.deleteWebhook('x', NEVER));
    expect(refused).toMatch(
      /^excess-scopes: webhooks.delete: INSTANTLY_SCOPES=strict does not use the key in INSTANTLY_WRITE_KEY: it may do more than production may hold: drop leads:delete, all:update; make one at Instantly/,
    );
    expect(reasons.at(-1)).toBe('excess-scopes');
    expect(fake.calls().map(({ operation }) => operation)).not.toContain('DELETE /webhooks/{id}');
    // What a key may do is asked once.
    const asked = fake.calls().length;
    expect(await failureOf(writer?.resumeWebhook('x', NEVER))).toContain('excess-scopes');
    expect(fake.calls()).toHaveLength(asked);
  });

  test.each<[string, string, Readonly<Record<string, string>>, NodeJS.ProcessEnv]>([
    ['all:read in development', 'development', { READ: 'read' }, strict],
    ['one key for both', 'staging', { API: 'registering' }, strict],
    ['one whose scopes cannot be known', 'production', { READ: 'blind' }, strict],
    ['any, where it is only warned of', 'production', { READ: 'all' }, {}],
  ])('%s is used', async (_, nodeEnv, keys, more) => {
    await fake.close();
    fake = await startFakeInstantly({
      keys: [
        { name: 'registering', scopes: ['all:read', 'webhooks:create', 'webhooks:update'] },
        { name: 'blind', scopes: ['webhooks:read'] },
      ],
    });
    const settings = settingsFor(nodeEnv, keys, more);
    expect(await failureOf(readerOf(settings).reader.webhooks(NEVER))).toBe('ok');
    // A command that only reads is not given the key for writing.
    const reading = { ...settings, instantly: { ...settings.instantly, writeKey: undefined } };
    expect(await failureOf(readerOf(reading).reader.webhooks(NEVER))).toBe('ok');
  });

  test('what replaces such a key goes on working, and what cannot be known now is not used', async () => {
    const { reader } = readerOf(settingsFor('production', { READ: 'all' }, strict));
    expect(await failureOf(reader.workspace(NEVER))).toBe('ok');
    expect(await failureOf(reader.apiKeys(NEVER))).toBe('ok');
    fake.fail('GET /api-keys', { status: 429, retryAfter: 120 });
    expect(await failureOf(reader.webhooks(NEVER))).toContain('rate-limited');
    expect(await failureOf(reader.webhooks(NEVER))).toContain('excess-scopes');
  });
});

describe('a secret that is too old', () => {
  const MAX = 90 * DAY_MS;
  const none = { minted: [], replaced: [] };

  async function agesOf(settings: Settings) {
    const lines: string[] = [];
    const warn = (...words: unknown[]): void => {
      lines.push(String(words.at(-1)));
    };
    const ages = new SecretAges(under.store, { warn }, () => now);
    await ages.refresh(settings, none);
    return { ages, lines };
  }

  test('is named daily with the command that replaces it, by one of all processes, and never by its value', async () => {
    const settings = settingsFor(
      'production',
      { READ: 'reader' },
      { METRICS_TOKEN: 'metrics-token-of-this-test-0001' },
    );
    const one = await agesOf(settings);
    await one.ages.tell();
    expect([...one.ages.old]).toEqual([]);
    now += MAX + 1;
    const two = await agesOf(settings);
    await one.ages.tell();
    await two.ages.tell();
    expect(two.lines).toEqual([]);
    expect(one.lines).toEqual([
      'INSTANTLY_WEBHOOK_TOKEN is 90 days old, and SECRET_MAX_AGE_DAYS is 90: run "instantly-receiver secrets rotate", which replaces it without refusing a delivery',
      expect.stringMatching(/^METRICS_TOKEN is 90 days old, .* run "instantly-receiver secrets new --kind metrics"/),
      expect.stringMatching(
        /^INSTANTLY_READ_KEY is 90 days old, .* run "instantly-receiver secrets rotate --api-key --setting INSTANTLY_READ_KEY"$/,
      ),
    ]);
    expect(one.ages.old.size).toBe(3);
    const text = one.lines.join();
    for (const secret of ['token-of-the-settings-0001', 'metrics-token-of', String(fake.keys['reader'])])
      expect(text).not.toContain(secret);
    now += DAY_MS - 1;
    await two.ages.tell();
    expect(two.lines).toEqual([]);
    now += 1;
    await two.ages.tell();
    expect(two.lines).toHaveLength(3);
  });

  test('an API key counts from when Instantly made it, and a replaced token not at all', async () => {
    const settings = settingsFor('production', { READ: 'reader' });
    const { ages } = await agesOf(settings);
    const { watch, made } = start(settings);
    await watch.round();
    ages.setMadeAt(made);
    expect([...ages.old.keys()]).toEqual(['INSTANTLY_READ_KEY']);
    expect(ages.since.get('INSTANTLY_READ_KEY')).toBe(NOW - 100 * DAY_MS);
    now += MAX + 1;
    expect([...ages.old.keys()]).toEqual(['INSTANTLY_WEBHOOK_TOKEN', 'INSTANTLY_READ_KEY']);
  });
});
