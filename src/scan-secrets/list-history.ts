import { parseRawDiff } from './parse-raw-diff.ts';
import type { Tally } from './report.ts';
import { type GitOptions, openGit } from './run-git.ts';
import { splitAtNul } from './split-chunks.ts';
import { isNeverLookedAt } from './tree-listing.ts';

/** About 100 MB of memory for their ids and paths. */
const MAX_BLOBS = 200_000;
/** A content that lies at more paths than these is reported at these alone. */
const MAX_PLACES = 16;

export interface BlobPlace {
  readonly path: string;
  /** The first commit that brought it there; undefined for what a tag names directly. */
  readonly commit: string | undefined;
  /** From the first commit on. */
  readonly order: number;
}

/** By object id, in the order in which commits brought them. */
export type History = ReadonlyMap<string, readonly BlobPlace[]>;

/**
 * Every content that a ref leads to, with the paths it had under a folder.
 *
 * @param prefix the folder's place in the repository, empty or with a slash at its end
 * @throws GitFailure
 */
export async function listHistory(dir: string, prefix: string, tally: Tally, signal: AbortSignal): Promise<History> {
  const blobs = new Map<string, BlobPlace[]>();
  let order = 0;
  const add = (oid: string, path: string, commit: string | undefined): void => {
    order += 1;
    if (isNeverLookedAt(path)) return;
    const places = blobs.get(oid);
    if (places !== undefined) {
      if (places.length < MAX_PLACES && places.every((place) => place.path !== path))
        places.push({ path, commit, order });
    } else if (blobs.size < MAX_BLOBS) {
      blobs.set(oid, [{ path, commit, order }]);
    } else {
      tally.skip('beyondLimits');
    }
  };
  for await (const { commit, oid, path } of parseRawDiff(splitAtNul(openDiffs(dir, prefix, signal)))) {
    add(oid, path.slice(prefix.length), commit);
  }
  if (prefix === '') {
    for await (const { oid, path } of listNamedDirectly(dir, signal)) add(oid, path, undefined);
  }
  return blobs;
}

/** With `-c` a merge shows only what none of its parents has, so that each content comes up where it came from. */
function openDiffs(dir: string, prefix: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const commits = openGit(dir, ['rev-list', '--all', '--reverse', '--date-order'], { signal });
  const options: GitOptions = { signal, input: commits };
  const format = ['--stdin', '-r', '-c', '--root', '--raw', '-z', '--no-renames', '--no-abbrev'];
  // From the top of the repository on, since a path given here starts from the folder git runs in.
  const limit = prefix === '' ? [] : ['--', '.'];
  return openGit(dir, ['diff-tree', ...format, ...limit], options);
}

/** A tag can name a content or a folder without a commit. */
async function* listNamedDirectly(dir: string, signal: AbortSignal): AsyncGenerator<{ oid: string; path: string }> {
  const format = '%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)%00';
  for await (const piece of splitAtNul(openGit(dir, ['for-each-ref', `--format=${format}`], { signal }))) {
    const [type, oid = '', innerType, innerOid = '', ...name] = piece.toString('utf8').trimStart().split(' ');
    const ref = name.join(' ');
    if (type === 'blob') yield { oid, path: ref };
    else if (innerType === 'blob') yield { oid: innerOid, path: ref };
    else if (type === 'tree') yield* listFolder(dir, oid, signal);
    else if (innerType === 'tree') yield* listFolder(dir, innerOid, signal);
  }
}

async function* listFolder(
  dir: string,
  oid: string,
  signal: AbortSignal,
): AsyncGenerator<{ oid: string; path: string }> {
  for await (const entry of splitAtNul(openGit(dir, ['ls-tree', '-r', '-z', '--full-tree', oid], { signal }))) {
    const tab = entry.indexOf('\t');
    const [, type, blob = ''] = entry.toString('latin1', 0, tab).split(' ');
    if (type === 'blob') yield { oid: blob, path: entry.toString('utf8', tab + 1) };
  }
}
