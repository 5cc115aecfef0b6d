import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { AuditDraft } from '../../src/audit/entry.ts';
import { digestToken, fingerprintToken } from '../../src/authenticate/index.ts';
import { identifyCarried } from '../../src/carried-tokens.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import { Secret } from '../../src/config/secret.ts';
import { SettingsError } from '../../src/errors/problem.ts';
import type { StoredDocument } from '../../src/inbox/store.ts';
import {
  EMPTY_BOOK,
  identifyToken,
  markRetirements,
  parseTokenBook,
  type TokenBook,
} from '../../src/instantly/token-book.ts';
import { TokenSource } from '../../src/token-source.ts';
import { makeFolder } from '../support/start-receiver.ts';

const HEADER = 'x-webhook-secret';
const OLD = 'the-token-that-was-replaced';
const NEW = 'the-token-of-the-rotation';
const FRESH = 'a-token-of-the-operator';
const KEY = 'audit-key-of-this-test-0001';
const OTHER_KEY = 'audit-key-that-came-later-02';
const HOUR_MS = 3_600_000;

let folder: string;
/** What the store holds; `undefined`: nothing. */
let text: string | undefined;
let version: number;
let isAway: boolean;
let carried: readonly string[] | undefined;
let said: string[];
let entries: AuditDraft[];
let replaced: number;

beforeEach(() => {
  folder = makeFolder();
  [text, version, isAway, carried, said, entries, replaced] = [undefined, 0, false, undefined, [], [], 0];
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const store = {
  readDocument: async (name: string): Promise<StoredDocument | undefined> => {
    if (isAway) throw new Error('the store is away');
    return text === undefined ? undefined : { name, text, version, ageMs: 0 };
  },
  writeDocument: async (_: string, next: string, over: number | null): Promise<boolean> => {
    if (isAway) throw new Error('the store is away');
    if (over !== version) return false;
    [text, version] = [next, version + 1];
    return true;
  },
};

function put(next: string | TokenBook): void {
  text = typeof next === 'string' ? next : JSON.stringify(next);
  version += 1;
}

/** Started with these tokens in the settings, and brought up to date once. */
async function start(tokens: readonly string[], key = KEY): Promise<TokenSource> {
  const env = { INSTANTLY_WEBHOOK_TOKEN: tokens.join(), AUDIT_KEY: key };
  const settings = loadSettings({ env, cwd: folder, create: true });
  const say = (...words: unknown[]): void => void said.push(words.map(String).join(' '));
  const source = new TokenSource({
    store,
    settings: () => settings,
    copy: join(folder, 'copy.json'),
    carried: async (book) => carried && identifyCarried(carried, settings, book),
    record: (entry) => entries.push(entry),
    onChange: () => undefined,
    onReplaced: () => {
      replaced += 1;
    },
    logger: { info: () => undefined, warn: say, error: say },
  });
  await source.load();
  await source.refresh();
  return source;
}

function outcome({ inForce: { authenticator } }: TokenSource, token: string): string {
  const found = authenticator.inspectHeaders([HEADER, token]);
  return found.verdict === 'refused' ? found.reason : 'let in';
}

const fingerprint = (token: string, key = KEY): string => fingerprintToken(new Secret(key), digestToken(token));

/** After a rotation from OLD to NEW, as an earlier release wrote it. */
function oldForm(acceptUntil = 0, isAudited = false): object {
  const digest = digestToken(NEW).toString('hex');
  return {
    minted: [{ digest, fingerprint: fingerprint(NEW), madeAt: 1, acceptUntil: null }],
    retirements: [{ fingerprint: fingerprint(OLD), acceptUntil, isAudited }],
    rotation: null,
  };
}

function marked(acceptUntil = 0): Promise<TokenBook> {
  const book = parseTokenBook(JSON.stringify(oldForm(acceptUntil)));
  return markRetirements(book, [{ fingerprint: fingerprint(OLD), digest: digestToken(OLD), held: [] }]);
}

test('with another AUDIT_KEY the old token stays out and the new one in', async () => {
  put(await marked());
  const source = await start([OLD, FRESH], OTHER_KEY);
  expect([OLD, NEW, FRESH].map((token) => outcome(source, token))).toEqual(['mismatch', 'let in', 'let in']);
  expect(source.accepted).toContain(fingerprint(NEW, OTHER_KEY));
});

test('a record of an earlier release is marked when its key fits, and is right under any key from then on', async () => {
  put(JSON.stringify(oldForm()));
  expect(outcome(await start([OLD]), OLD)).toBe('mismatch');
  expect(parseTokenBook(text ?? '').retirements).toMatchObject([{ mark: expect.stringMatching(/^scrypt\$16384\$/) }]);
  expect(text).not.toContain(digestToken(OLD).toString('hex'));
  expect(outcome(await start([OLD], OTHER_KEY), OLD)).toBe('mismatch');
});

test('one that only another key could read lets in what it made and what Instantly carries, and nothing else', async () => {
  put(JSON.stringify(oldForm()));
  const source = await start([OLD, FRESH], OTHER_KEY);
  expect([OLD, NEW, FRESH].map((token) => outcome(source, token))).toEqual(['doubtful', 'let in', 'doubtful']);
  expect(source.doubtful).toHaveLength(2);
  expect(said.join('\n')).toContain('"secrets rotate" or "secrets reset"');
  carried = [FRESH];
  const knowing = await start([OLD, FRESH], OTHER_KEY);
  expect([OLD, NEW, FRESH].map((token) => outcome(knowing, token))).toEqual(['doubtful', 'let in', 'let in']);
});

test.each(['{"minted":"of a newer release"}', '{}', 'no JSON'])(
  'an unreadable record ends the start: %s',
  async (bad) => {
    put(bad);
    const failed = start([OLD]);
    await expect(failed).rejects.toThrow(SettingsError);
    await expect(failed).rejects.toMatchObject({ faults: [expect.stringContaining('"secrets reset --yes"')] });
  },
);

test('an unreadable record lets in what Instantly carries, though the settings lack it, if it cannot be guessed', async () => {
  put('{}');
  carried = [NEW, 'short'];
  const source = await start([OLD]);
  expect([OLD, NEW, 'short'].map((token) => outcome(source, token))).toEqual(['doubtful', 'let in', 'mismatch']);
  expect(text).toBe('{}');
});

test('an unreadable record beside the copy of a right one', async () => {
  put(await marked());
  await start([OLD]);
  put('{}');
  const source = await start([FRESH, OLD]);
  expect([OLD, NEW, FRESH].map((token) => outcome(source, token))).toEqual(['mismatch', 'let in', 'doubtful']);
});

test('a store that has lost its record is told of the retired tokens that this machine remembers', async () => {
  put(await marked());
  await start([OLD]);
  expect(statSync(join(folder, 'copy.json')).mode & 0o777).toBe(0o600);
  [text, version] = [undefined, 0];
  const source = await start([OLD, FRESH], OTHER_KEY);
  expect([OLD, FRESH].map((token) => outcome(source, token))).toEqual(['mismatch', 'let in']);
  expect(parseTokenBook(text ?? '').retirements).toHaveLength(1);
});

test('with the store away the copy counts, also under another key', async () => {
  put(await marked());
  await start([OLD]);
  isAway = true;
  const source = await start([OLD, FRESH], OTHER_KEY);
  expect([OLD, NEW, FRESH].map((token) => outcome(source, token))).toEqual(['mismatch', 'let in', 'let in']);
});

test.each(['absent', 'broken'])(
  'with the store away and a copy that is %s the first of the settings is let in, and said',
  async (copy) => {
    if (copy === 'broken') writeFileSync(join(folder, 'copy.json'), '{"minted":');
    isAway = true;
    const source = await start([FRESH, OLD]);
    expect([FRESH, OLD, NEW].map((token) => outcome(source, token))).toEqual(['let in', 'doubtful', 'mismatch']);
    expect(said.join('\n')).toContain('only the first of INSTANTLY_WEBHOOK_TOKEN');
    put(await marked());
    isAway = false;
    await source.refresh();
    expect([FRESH, OLD, NEW].map((token) => outcome(source, token))).toEqual(['let in', 'mismatch', 'let in']);
  },
);

test('with the store away and no copy Instantly is believed before the order of the settings', async () => {
  isAway = true;
  carried = [NEW];
  const source = await start([OLD, FRESH]);
  expect([OLD, NEW, FRESH].map((token) => outcome(source, token))).toEqual(['doubtful', 'let in', 'doubtful']);
});

test('no clock that is set back undoes a retirement', async () => {
  const now = Date.now();
  put(await marked(now - 1));
  const source = await start([OLD]);
  expect(entries.map(({ action }) => action)).toEqual(['secret.retire']);
  jest.spyOn(Date, 'now').mockImplementation(() => now - 1_000 * HOUR_MS);
  await source.refresh();
  expect(outcome(source, OLD)).toBe('mismatch');
  expect(outcome(await start([OLD]), OLD)).toBe('mismatch');
});

test('a token is kept for its time, which may end while nothing runs', async () => {
  const now = Date.now();
  put(await marked(now + HOUR_MS));
  expect(outcome(await start([OLD]), OLD)).toBe('let in');
  expect(said.join('\n')).toContain('holds a retired token at position 1');
  isAway = true;
  jest.spyOn(Date, 'now').mockImplementation(() => now + 2 * HOUR_MS);
  expect(outcome(await start([OLD]), OLD)).toBe('mismatch');
});

test('a retired token that is put first again is refused, with words that say how to go on', async () => {
  put(await marked());
  const source = await start([OLD, NEW]);
  expect([OLD, NEW].map((token) => outcome(source, token))).toEqual(['mismatch', 'let in']);
  expect(source.replaced).toHaveLength(1);
  const [word] = said;
  expect(word).toMatch(/position 1: take it out; .*choose a new one/);
  expect(said.join('\n')).not.toContain(OLD);
});

test('the settings are read anew once a rotation has replaced one of them', async () => {
  const source = await start([OLD]);
  put(await marked());
  for (let look = 0; look < 2; look += 1) await source.refresh();
  // The command may have written them: a warning would be false.
  expect([replaced, said]).toEqual([1, []]);
  for (let look = 0; look < 2; look += 1) await source.refresh();
  expect(replaced).toBe(1);
  expect(said).toEqual([expect.stringContaining('holds a retired token at position 1')]);
});

test('a store without rotations costs no copy, and a token that Instantly does not carry is named', async () => {
  const source = await start([OLD, FRESH]);
  expect(existsSync(join(folder, 'copy.json'))).toBe(false);
  expect([OLD, FRESH].map((token) => outcome(source, token))).toEqual(['let in', 'let in']);
  source.compare([fingerprint(NEW)]);
  expect(said.at(-1)).toContain('position 1 and 2 lets in, and our webhooks at Instantly carry another');
  put({ ...EMPTY_BOOK });
  await source.refresh();
  expect(JSON.parse(readFileSync(join(folder, 'copy.json'), 'utf8'))).toEqual(EMPTY_BOOK);
});

const BASIC = `Basic ${Buffer.from(OLD).toString('base64')}`;

test.each([
  ['bare, now with a scheme', OLD, `Bearer ${OLD}`],
  ['with a scheme, now bare', `Bearer ${OLD}`, OLD],
  ['with a scheme, now in other letters', `Bearer ${OLD}`, `bEARER   ${OLD}`],
  ['with a scheme, now with two', `Bearer ${OLD}`, `Bearer bearer ${OLD}`],
  ['bare, now in Basic', OLD, BASIC],
  ['in Basic, now with a scheme', BASIC, `Bearer ${OLD}`],
])('a retired token is known in another spelling: %s', async (_, before, now) => {
  const { retirements, ...rest } = parseTokenBook(JSON.stringify(oldForm()));
  const book = { ...rest, retirements: retirements.map((one) => ({ ...one, fingerprint: fingerprint(before) })) };
  put(await markRetirements(book, [await identifyToken(before, new Secret(KEY), book)]));
  for (const key of [KEY, OTHER_KEY]) expect(outcome(await start([now, FRESH], key), now)).toBe('mismatch');
  isAway = true;
  expect(outcome(await start([now, FRESH], OTHER_KEY), now)).toBe('mismatch');
});
