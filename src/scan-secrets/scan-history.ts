import { workAtOnce } from './at-once.ts';
import { listHistory } from './list-history.ts';
import { readBlobs } from './read-blobs.ts';
import type { ScanRun } from './scan-run.ts';

/**
 * Looks at every content that was ever committed, each once.
 *
 * @param prefix the folder's place in the repository
 * @throws GitFailure
 */
export async function scanHistory(run: ScanRun, prefix: string): Promise<void> {
  const { dir, pool, tally, findings, signal } = run;
  const history = await listHistory(dir, prefix, tally, signal);
  const wanted = await run.dropIgnored([...history.entries()], ([, places]) => places.map(({ path }) => path));
  const places = new Map(wanted);
  const progress = run.startPhase('history', places.size);
  await workAtOnce(readBlobs(dir, places.keys(), tally, signal), pool.size * 2, signal, async ({ oid, bytes }) => {
    const at = places.get(oid) ?? [];
    const reply = await pool.scan(
      bytes,
      at.map(({ path }) => path),
    );
    if (reply.kind === 'failed') tally.skip('failed');
    else if (reply.binary) tally.skip('binary');
    else tally.blobs += 1;
    findings.addHistory(reply.hits, at, reply.paths);
    progress();
  });
}
