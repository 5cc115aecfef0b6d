import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { digestToken, fingerprintToken, tokenId } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import { chooseToken } from '../../src/instantly/choose-token.ts';
import { awaitReceivers, mintToken } from '../../src/instantly/mint-token.ts';
import { LIVE_MS, livePresences, type Presence, reportPresence, signOff } from '../../src/instantly/presence.ts';
import { PresenceReporter } from '../../src/presence-reporter.ts';
import { settingsOf } from './authenticate-support.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

const KEY = new Secret('audit-key-of-this-test');
const NEVER = new AbortController().signal;
const WANTED = 'f'.repeat(32);

let under: TestStore;

beforeEach(async () => {
  under = await createTestStore();
});
afterEach(() => under.remove());

const report = (owner: string, tokens: string[], role: Presence['role'] = 'all'): Promise<void> =>
  reportPresence(under.store, owner, { role, tokens, apiKeys: [] });

/** As if the process had told of itself so long ago. */
function age(owner: string, ms: number): void {
  const db = new DatabaseSync(join(under.dir, 'receiver.db'));
  db.prepare('UPDATE documents SET written_at = ? WHERE name = ?').run(Date.now() - ms, `presence:${owner}`);
  db.close();
}

const wait = (withinMs = 0, signal = NEVER): Promise<void> => awaitReceivers(under.store, WANTED, withinMs, signal);

describe('processes on one store', () => {
  test('are told until they sign off, or have said nothing for ten minutes', async () => {
    await report('one', ['a']);
    await report('one', ['b']);
    await report('other', [], 'worker');
    expect(await livePresences(under.store)).toMatchObject([
      { owner: 'one', role: 'all', tokens: ['b'] },
      { owner: 'other', role: 'worker' },
    ]);
    age('one', LIVE_MS - 5_000);
    expect(await livePresences(under.store)).toHaveLength(2);
    age('one', LIVE_MS + 5_000);
    expect(await livePresences(under.store)).toMatchObject([{ owner: 'other' }]);
    expect(await under.store.readDocument('presence:one')).toBeUndefined();
    await signOff(under.store, 'other');
    expect(await livePresences(under.store)).toEqual([]);
  });

  test.each([
    ['were killed are forgotten by whichever serves on', LIVE_MS + 5_000, false],
    ['no file can have beside it are forgotten at once by the one that serves from the file', 0, true],
  ])('that %s', async (_, ageMs, isAlone) => {
    await report('killed', ['a']);
    age('killed', ageMs);
    const reporter = new PresenceReporter({
      store: under.store,
      owner: 'one',
      isAlone,
      read: () => ({ role: 'all', tokens: [], apiKeys: [] }),
      logger: pino({ level: 'silent' }),
    });
    reporter.start();
    while ((await under.store.listDocuments('presence:', 10)).map(({ name }) => name).join() !== 'presence:one');
    await reporter.stop();
    expect(await under.store.listDocuments('presence:', 10)).toEqual([]);
  });

  test('that tell of themselves in another release’s words are there, and known to know nothing', async () => {
    await under.store.writeDocument('presence:newer', '{"role":"edge","tokens":{}}', null);
    expect(await livePresences(under.store)).toMatchObject([{ owner: 'newer', role: 'all', tokens: [], apiKeys: [] }]);
    await expect(wait()).rejects.toThrow('1 of 1 receivers do not know');
  });
});

test('a token that a header may carry in more than one way is given to no webhook', async () => {
  const tokens = [new Secret('tök-beyond-ascii-0123456'), new Secret('token-of-the-settings-0001')];
  const chosen = (some: readonly Secret[]) =>
    chooseToken(under.store, { authentication: settingsOf({ tokens: some.map((one) => one.reveal()) }), audit }, []);
  const audit = { key: KEY, anonymousRetentionMs: 1, anonymousPerMinute: 1, retentionMs: 1 };
  expect(await chosen(tokens)).toMatchObject({ origin: 'settings', token: 'token-of-the-settings-0001' });
  expect(await chosen(tokens.slice(0, 1))).toMatchObject({ origin: 'minted' });
});

describe('waiting for the receivers', () => {
  test('ends when each of them knows the token; a worker need not', async () => {
    await report('one', ['a', WANTED]);
    await report('worker', [], 'worker');
    await wait();
    await report('two', ['a'], 'receiver');
    const waiting = wait(20_000);
    await report('two', ['a', WANTED], 'receiver');
    await waiting;
  });

  test('in vain names those that do not', async () => {
    await report('one', [WANTED]);
    await report('behind', []);
    age('behind', 90_000);
    await expect(wait()).rejects.toThrow(
      /^1 of 2 receivers do not know the token f{12} yet: behind \(heard of 9\d s ago\)\. One that has crashed is forgotten after ten minutes/,
    );
  });

  test('does not take a worker, or nobody, for a receiver', async () => {
    await expect(wait()).rejects.toThrow('no receiver is running on this store; start it');
    await report('worker', [WANTED], 'worker');
    await expect(wait()).rejects.toThrow('no receiver is running on this store');
  });

  test('is ended by whoever ends the command', async () => {
    const stop = new AbortController();
    const reason = new Error('ended by the operator');
    const waiting = wait(60_000, stop.signal);
    setTimeout(() => stop.abort(reason), 20);
    await expect(waiting).rejects.toBe(reason);
  });
});

test('a token that is made exists nowhere else, and is known by its digest alone', () => {
  const { token, entry } = mintToken(KEY, 1_000);
  const digest = digestToken(token);
  expect(entry).toEqual({
    digest: digest.toString('hex'),
    fingerprint: fingerprintToken(KEY, digest),
    madeAt: 1_000,
    acceptUntil: null,
  });
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(mintToken(KEY, 1_000).token).not.toBe(token);
  expect(JSON.stringify(entry)).not.toContain(token);
  expect(tokenId(entry.fingerprint)).toHaveLength(12);
});
