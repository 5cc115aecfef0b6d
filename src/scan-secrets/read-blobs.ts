import { CONTENT_LIMIT } from './read-file.ts';
import type { Tally } from './report.ts';
import { GitFailure, openGit } from './run-git.ts';
import { ByteReader } from './split-chunks.ts';

/** For each object its id, its kind and its size; only what is in the clone, where a partial one would go and fetch. */
const SIZES = [
  'cat-file',
  '--batch-all-objects',
  '--unordered',
  '--batch-check=%(objectname) %(objecttype) %(objectsize)',
];

/**
 * The contents of blobs, one after the other as they are asked for, those that are too large or not there left out and
 * counted.
 *
 * @throws GitFailure
 */
export async function* readBlobs(
  dir: string,
  oids: Iterable<string>,
  tally: Tally,
  signal: AbortSignal,
): AsyncGenerator<{ readonly oid: string; readonly bytes: Buffer }> {
  const wanted = await chooseBySize(dir, oids, tally, signal);
  if (wanted.size === 0) return;
  const reader = new ByteReader(openGit(dir, ['cat-file', '--batch', '--buffer'], { signal, input: lines(wanted) }));
  try {
    for (let header = await reader.line(); header !== undefined; header = await reader.line()) {
      const [oid = '', , size] = header.split(' ');
      if (size === undefined) {
        tally.skip('missing');
        continue;
      }
      const bytes = await reader.bytes(Number(size));
      await reader.bytes(1);
      if (bytes.length < Number(size)) throw new GitFailure('failed', 'git cat-file ended too early');
      yield { oid, bytes };
    }
  } finally {
    await reader.close();
  }
}

async function chooseBySize(
  dir: string,
  oids: Iterable<string>,
  tally: Tally,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const all = new Set(oids);
  if (all.size === 0) return all;
  const small = new Set<string>();
  let present = 0;
  const reader = new ByteReader(openGit(dir, SIZES, { signal }));
  for (let line = await reader.line(); line !== undefined; line = await reader.line()) {
    const [oid = '', type, size] = line.split(' ');
    if (type !== 'blob' || !all.has(oid)) continue;
    present += 1;
    if (Number(size) <= CONTENT_LIMIT) small.add(oid);
    else tally.skip('tooLarge');
  }
  tally.skip('missing', all.size - present);
  return inOrder(all, small);
}

/** As they were given: what is near in time is near in a pack too. */
function inOrder(all: ReadonlySet<string>, small: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...all].filter((oid) => small.has(oid)));
}

function* lines(oids: Iterable<string>): Generator<string> {
  for (const oid of oids) yield `${oid}\n`;
}
