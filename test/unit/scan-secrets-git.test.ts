import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseRawDiff } from '../../src/scan-secrets/parse-raw-diff.ts';
import { GitFailure, openGit, runGit } from '../../src/scan-secrets/run-git.ts';
import { ByteReader, splitAtNul } from '../../src/scan-secrets/split-chunks.ts';

const OID = 'a1'.repeat(20);
const NULL = '0'.repeat(40);
const COMMIT = 'c0'.repeat(20);

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const size of sizes) {
    yield bytes.subarray(from, from + size);
    from += size;
  }
  yield bytes.subarray(from);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const sizes = fc.array(fc.nat({ max: 9 }), { maxLength: 20 });

describe('what comes in chunks', () => {
  test('pieces are the same however it is cut', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 12 }).map((bytes) => bytes.map((byte) => byte || 1)));
    await fc.assert(
      fc.asyncProperty(pieces, sizes, async (parts, cuts) => {
        const bytes = Buffer.concat(parts.flatMap((part) => [part, Buffer.of(0)]));
        const split = await collect(splitAtNul(chunksOf(bytes, cuts)));
        expect(split.map((piece) => [...piece])).toEqual(parts.map((part) => [...part]));
      }),
    );
  });

  test('lines and counted bytes are the same however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), sizes, async (content, cuts) => {
        const bytes = Buffer.concat([Buffer.from(`${OID} blob ${content.length}\n`), content, Buffer.from('\nend\n')]);
        const reader = new ByteReader(chunksOf(bytes, cuts));
        expect(await reader.line()).toBe(`${OID} blob ${content.length}`);
        expect([...(await reader.bytes(content.length))]).toEqual([...content]);
        expect([await reader.line(), await reader.line(), await reader.line()]).toEqual(['', 'end', undefined]);
      }),
    );
  });

  test('ends where it goes on for ever without an end of a line or piece', async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(10_000, 'a');
    }
    await expect(collect(splitAtNul(endless()))).rejects.toThrow(GitFailure);
    await expect(new ByteReader(endless()).line()).rejects.toThrow(GitFailure);
  });
});

describe('what a commit brought', () => {
  const parse = (...pieces: string[]) => collect(parseRawDiff(chunksOfTexts(pieces)));

  async function* chunksOfTexts(pieces: readonly string[]): AsyncGenerator<Buffer> {
    for (const piece of pieces) yield Buffer.from(piece);
  }

  test.each([
    ['a new file', `:000000 100644 ${NULL} ${OID} A`, true],
    ['another content', `:100644 100755 ${COMMIT} ${OID} M`, true],
    ['a link', `:000000 120000 ${NULL} ${OID} A`, true],
    ['a merge of two', `::100644 100644 100644 ${COMMIT} ${COMMIT} ${OID} MM`, true],
    ['a merge of three', `:::100644 100644 000000 100644 ${COMMIT} ${COMMIT} ${NULL} ${OID} MMA`, true],
    ['a deletion', `:100644 000000 ${OID} ${NULL} D`, false],
    ['a deletion by a merge', `::100644 100644 000000 ${OID} ${OID} ${NULL} DD`, false],
    ['a submodule', `:000000 160000 ${NULL} ${OID} A`, false],
  ])('%s', async (_, record, isContent) => {
    const brought = { commit: COMMIT, oid: OID, path: ':a "path"\n' };
    expect(await parse(COMMIT, record, brought.path)).toEqual(isContent ? [brought] : []);
  });

  test('each goes with the commit before it', async () => {
    const record = `:000000 100644 ${NULL} ${OID} A`;
    const brought = await parse(COMMIT, record, 'a', record, 'b', OID, record, COMMIT);
    expect(brought.map(({ commit, path }) => [commit, path])).toEqual([
      [COMMIT, 'a'],
      [COMMIT, 'b'],
      [OID, COMMIT],
    ]);
  });
});

describe('a git that does not do its work', () => {
  const folder = mkdtempSync(join(tmpdir(), 'receiver-git-'));
  const path = process.env['PATH'];

  /** From here on it is the program that runs as git. */
  function install(script: string): void {
    writeFileSync(join(folder, 'git'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'git'), 0o755);
    process.env['PATH'] = `${folder}:/usr/bin:/bin`;
  }

  const failureOf = async (options: { silenceMs?: number; signal?: AbortSignal } = {}) => {
    const running = runGit('/', ['rev-parse'], { signal: new AbortController().signal, ...options });
    return running.then(
      () => undefined,
      (error: unknown) => error,
    );
  };

  afterEach(() => {
    process.env['PATH'] = path;
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('is told to be absent', async () => {
    process.env['PATH'] = join(folder, 'nothing');
    expect(await failureOf()).toMatchObject({ fault: 'absent' });
  });

  test.each([
    ['another owner', 'echo "fatal: detected dubious ownership in repository at \'/x\'" >&2; exit 128'],
    ['no repository', 'echo "fatal: not a git repository (or any of the parent directories): .git" >&2; exit 128'],
    [
      'failed',
      `echo "fatal: unable to access 'https://${['me', 'open-sesame'].join(':')}@example.com/'" >&2; exit 128`,
    ],
    ['failed', 'kill -9 $$'],
  ])('%s, in words of ours', async (fault, script) => {
    install(script);
    const error = await failureOf();
    expect(error).toMatchObject({ fault });
    expect(String(error)).not.toMatch(/sesame|fatal/);
  });

  test('has so long to say something', async () => {
    install('echo one; exec sleep 60');
    const begun = Date.now();
    expect(await failureOf({ silenceMs: 300 })).toMatchObject({ fault: 'time-out' });
    expect(Date.now() - begun).toBeLessThan(20_000);
  });

  test('is ended by the signal, for its reason', async () => {
    install('echo one; exec sleep 60');
    const stop = new AbortController();
    const reason = new Error('enough');
    const read = collect(openGit('/', ['rev-list'], { signal: stop.signal }));
    stop.abort(reason);
    await expect(read).rejects.toBe(reason);
    await expect(runGit('/', ['rev-list'], { signal: stop.signal })).rejects.toBe(reason);
  });

  test('may say too much', async () => {
    install('exec yes');
    expect(await failureOf()).toMatchObject({ fault: 'failed' });
  });

  test('that fails on its input ends with the reason of the input', async () => {
    install('exec cat');
    async function* input(): AsyncGenerator<string> {
      yield 'one\n';
      throw new GitFailure('time-out', 'the one before said nothing');
    }
    const options = { signal: new AbortController().signal, input: input() };
    await expect(collect(openGit('/', ['diff-tree'], options))).rejects.toMatchObject({ fault: 'time-out' });
  });

  test('gets none of our secrets, and nothing that would steer it elsewhere', async () => {
    install('env');
    process.env['GIT_DIR'] = '/elsewhere';
    process.env['INSTANTLY_SECRET'] = 'open-sesame';
    try {
      const text = await runGit('/', ['env'], { signal: new AbortController().signal });
      expect(text).toContain('GIT_CONFIG_NOSYSTEM=1\n');
      expect(text).not.toMatch(/elsewhere|sesame/);
    } finally {
      delete process.env['GIT_DIR'];
      delete process.env['INSTANTLY_SECRET'];
    }
  });
});
