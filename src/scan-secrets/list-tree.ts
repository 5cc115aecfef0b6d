import type { Repository } from './find-repository.ts';
import { isThere } from './find-repository.ts';
import { GitFailure, type GitOptions, openGit } from './run-git.ts';
import { splitAtNul } from './split-chunks.ts';
import { joinBytes, type TreeListing } from './tree-listing.ts';
import { walkFolder } from './walk-folder.ts';

/** Repositories inside of repositories. */
const MAX_DEPTH = 8;
const LINK_TO_COMMIT = '160000';
const SLASH = 0x2f;

interface Place {
  /** Absolute path of a folder. */
  readonly dir: string;
  /** Where it lies in what is scanned, empty or with a slash at its end. */
  readonly prefix: string;
  readonly depth: number;
}

/**
 * Lists the files of a folder that could be given away: in a repository what is tracked and what is neither tracked nor
 * ignored, elsewhere everything but the places where secrets belong. A repository further down goes by its own rules.
 *
 * @param homes absolute paths of files in which a secret belongs
 */
export async function listTree(
  dir: string,
  repository: Repository,
  homes: ReadonlySet<string>,
  listing: TreeListing,
  signal: AbortSignal,
): Promise<void> {
  if (repository.kind === 'found') await listRepository({ dir, prefix: '', depth: 0 }, listing, signal);
  else await walkFolder({ folder: Buffer.from(dir), prefix: '' }, homes, listing, signal);
}

/** What the next commit would add, as it is staged; not in repositories further down. */
export async function listStaged(
  dir: string,
  index: string | undefined,
  listing: TreeListing,
  signal: AbortSignal,
): Promise<void> {
  const committed = await listCommitted(dir, signal);
  for await (const { mode, oid, name } of listIndex(dir, { signal, index })) {
    const path = name.toString('utf8');
    if (mode !== LINK_TO_COMMIT && !committed.has(oid)) listing.addStaged({ oid, path });
  }
}

async function listRepository(place: Place, listing: TreeListing, signal: AbortSignal): Promise<void> {
  const inner = new Set<string>();
  await listTracked(place, inner, listing, signal);
  await listUntracked(place, inner, listing, signal);
  for (const name of inner) await listInner(place, name, listing, signal);
}

async function listTracked(
  { dir, prefix, depth }: Place,
  inner: Set<string>,
  listing: TreeListing,
  signal: AbortSignal,
): Promise<void> {
  const committed = await listCommitted(dir, signal);
  let previous: string | undefined;
  for await (const { mode, oid, name } of listIndex(dir, { signal })) {
    const text = name.toString('utf8');
    if (mode === LINK_TO_COMMIT) {
      inner.add(text);
      continue;
    }
    if (depth === 0 && !committed.has(oid)) listing.addStaged({ oid, path: prefix + text });
    // While a merge is in conflict a path is there up to three times, one after the other.
    if (text !== previous) listing.add({ file: joinBytes(Buffer.from(dir), name), path: prefix + text });
    previous = text;
  }
}

interface IndexEntry {
  readonly mode: string;
  readonly oid: string;
  readonly name: Buffer;
}

async function* listIndex(dir: string, options: GitOptions): AsyncGenerator<IndexEntry> {
  for await (const entry of splitAtNul(openGit(dir, ['ls-files', '-z', '--stage'], options))) {
    const tab = entry.indexOf('\t');
    const [mode = '', oid = ''] = entry.toString('latin1', 0, tab).split(' ');
    yield { mode, oid, name: entry.subarray(tab + 1) };
  }
}

/** The contents that the current commit has; none where there is no commit yet. */
async function listCommitted(dir: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const oids = new Set<string>();
  try {
    for await (const entry of splitAtNul(openGit(dir, ['ls-tree', '-r', '-z', 'HEAD'], { signal }))) {
      const [, , oid = ''] = entry.toString('latin1', 0, entry.indexOf('\t')).split(' ');
      oids.add(oid);
    }
  } catch (error) {
    if (!(error instanceof GitFailure && error.fault === 'failed')) throw error;
  }
  return oids;
}

async function listUntracked(
  { dir, prefix }: Place,
  inner: Set<string>,
  listing: TreeListing,
  signal: AbortSignal,
): Promise<void> {
  const command = ['ls-files', '-z', '--others', '--exclude-standard'];
  for await (const name of splitAtNul(openGit(dir, command, { signal }))) {
    const text = name.toString('utf8');
    // A repository of its own: git does not look into it.
    if (name.at(-1) === SLASH) inner.add(text.slice(0, -1));
    else listing.add({ file: joinBytes(Buffer.from(dir), name), path: prefix + text });
  }
}

async function listInner(outer: Place, name: string, listing: TreeListing, signal: AbortSignal): Promise<void> {
  const place: Place = { dir: `${outer.dir}/${name}`, prefix: `${outer.prefix}${name}/`, depth: outer.depth + 1 };
  // A submodule that was never fetched: git would answer from the repository around it.
  if (!(await isThere(`${place.dir}/.git`))) return;
  if (place.depth > MAX_DEPTH) {
    listing.tally.break(`Repositories lie in one another more than ${MAX_DEPTH} deep; the innermost were left out.`);
    return;
  }
  try {
    await listRepository(place, listing, signal);
    listing.tally.noteOnce('A repository lies inside of this one: its files were looked at, its history was not.');
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    listing.tally.noteOnce(
      'A repository that lies inside of this one is not readable by git: all its files were looked at.',
    );
    await walkFolder({ folder: Buffer.from(place.dir), prefix: place.prefix }, new Set(), listing, signal);
  }
}
