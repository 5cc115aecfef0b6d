import { workAtOnce } from './at-once.ts';
import type { Repository } from './find-repository.ts';
import { listStaged, listTree } from './list-tree.ts';
import { readBlobs } from './read-blobs.ts';
import { readFile } from './read-file.ts';
import type { ScanRun } from './scan-run.ts';
import { type TreeFile, TreeListing } from './tree-listing.ts';

/** Looks at the files as they are now, and as they are staged. */
export async function scanTree(run: ScanRun, repository: Repository, homes: ReadonlySet<string>): Promise<void> {
  const listing = new TreeListing(run.tally);
  await listTree(run.dir, repository, homes, listing, run.signal);
  const files = await run.dropIgnored(listing.files, ({ path }) => [path]);
  const progress = run.startPhase('tree', files.length);
  await workAtOnce(files, run.pool.size * 2, run.signal, async (file) => {
    await scanFile(run, file);
    progress();
  });
  if (repository.kind === 'found') await scanStaged(run, listing);
}

/** Looks at nothing but what the next commit would add. */
export async function scanIndex(run: ScanRun, index: string | undefined): Promise<void> {
  const listing = new TreeListing(run.tally);
  await listStaged(run.dir, index, listing, run.signal);
  run.tally.files = listing.staged.length;
  await scanStaged(run, listing);
}

async function scanFile({ pool, tally, findings }: ScanRun, { file, path }: TreeFile): Promise<void> {
  const read = await readFile(file);
  if (read.kind === 'gone') return;
  if (read.kind === 'skipped') {
    tally.skip(read.reason);
    return;
  }
  const reply = await pool.scan(read.bytes, [path]);
  if (reply.kind === 'failed') tally.skip('failed');
  else if (reply.binary) tally.skip('binary');
  else tally.files += 1;
  findings.addTree(reply.hits, reply.paths[0] ?? '');
}

/** What was staged and then changed in the file would be committed all the same. */
async function scanStaged(run: ScanRun, listing: TreeListing): Promise<void> {
  const staged = await run.dropIgnored(listing.staged, ({ path }) => [path]);
  const paths = Map.groupBy(staged, ({ oid }) => oid);
  const blobs = readBlobs(run.dir, paths.keys(), run.tally, run.signal);
  await workAtOnce(blobs, run.pool.size * 2, run.signal, async ({ oid, bytes }) => {
    const places = (paths.get(oid) ?? []).map(({ path }) => path);
    const reply = await run.pool.scan(bytes, places);
    if (reply.kind === 'failed') run.tally.skip('failed');
    for (const path of reply.paths) run.findings.addTree(reply.hits, path);
  });
}
