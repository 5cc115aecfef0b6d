import { afterEach, expect, test } from '@jest/globals';
import { ThreadPool } from '../../src/scan-secrets/thread-pool.ts';
import { makeGithubToken, makeToken, settingLine } from '../support/made-secrets.ts';

/** Milliseconds in which a thread starts on a busy machine. */
const FILE_MS = 6_000;

const pools: ThreadPool[] = [];

function makePool(known: readonly string[] = [], ignore = '', fileMs = FILE_MS): ThreadPool {
  const pool = new ThreadPool(known, ignore, fileMs);
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

test('scans more at once than it has threads, each answer to its question', async () => {
  const pool = makePool();
  const texts = Array.from({ length: pool.size * 3 }, (_, at) => '\n'.repeat(at) + settingLine());
  const replies = await Promise.all(texts.map((text, at) => pool.scan(Buffer.from(text), [`${at}/.env`])));
  expect(replies.map(({ kind, hits, paths }) => [kind, hits[0]?.line, paths])).toEqual(
    texts.map((_, at) => ['scanned', at + 1, [`${at}/.env`]]),
  );
});

test('what takes too long is given up, with the secrets in use that are there; the next is scanned', async () => {
  const known = makeToken();
  const pool = makePool([known]);
  // secretlint holds each of its findings against each other.
  const many = `${known}\n${Array.from({ length: 45_000 }, makeGithubToken).join('\n')}`;
  expect(await pool.scan(Buffer.from(many), ['a.txt'])).toMatchObject({
    kind: 'failed',
    hits: [{ line: 1, rule: 'known-secret' }],
    paths: ['a.txt'],
  });
  expect(await pool.scan(Buffer.from(makeGithubToken()), ['b.txt'])).toMatchObject({ kind: 'scanned' });
});

test('paths are ignored as git would, and nothing where the patterns take too long', async () => {
  const pool = makePool([], '# a comment\n/fixtures/\n*.pem\n!keep.pem\n');
  const paths = ['fixtures/a', 'src/fixtures/a', 'a.pem', 'src/b.pem', 'keep.pem', '../a.pem', '/a.pem', ''];
  expect(await pool.ignored(paths)).toEqual([true, false, true, true, false, false, false, false]);
  const many = Array.from({ length: 50_000 }, (_, at) => `a*a${at}*b`).join('\n');
  const slow = makePool([], many, 3_000);
  expect(await slow.ignored(Array(1_000).fill('a/'.repeat(100)))).toBeUndefined();
});

test('closed, it answers whoever still waits', async () => {
  const pool = makePool();
  const running = Array.from({ length: pool.size * 3 }, () => pool.scan(Buffer.from(settingLine()), ['.env']));
  await pool.close();
  const replies = await Promise.all([...running, pool.scan(Buffer.from(''), ['a'])]);
  expect(replies.map(({ kind }) => kind)).toEqual(replies.map(() => 'failed'));
});
