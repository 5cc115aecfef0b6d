import { type Dirent, promises } from 'node:fs';
import { joinBytes, type TreeListing } from './tree-listing.ts';

/** Files that the receiver and its set-up make to keep a secret in, by their folder's name. */
const KEPT =
  /(?:^|\/)(?:data|secrets)\/(?:instantly-secret|webhook-token|audit-key|admin-token|metrics-token|database-url|postgres-password)$/;

interface Place {
  readonly folder: Buffer;
  /** Relative to what is scanned, empty or with a slash at its end. */
  readonly prefix: string;
}

/**
 * Lists every file of a folder that no repository tells about, save those in which a secret belongs: `.env` and the
 * files that hold nothing else. Links are not followed.
 *
 * @param homes absolute paths of other files in which a secret belongs
 */
export async function walkFolder(
  start: Place,
  homes: ReadonlySet<string>,
  listing: TreeListing,
  signal: AbortSignal,
): Promise<void> {
  const places = [start];
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    signal.throwIfAborted();
    for (const entry of await read(place, listing)) {
      const name = entry.name.toString('utf8');
      const path = `${place.prefix}${name}`;
      const file = joinBytes(place.folder, entry.name);
      if (entry.isDirectory()) {
        if (name !== 'node_modules' && name !== '.git') places.push({ folder: file, prefix: `${path}/` });
      } else if (!entry.isFile()) {
        listing.tally.skip('notAFile');
      } else if (name !== '.env' && !KEPT.test(path) && !homes.has(file.toString('utf8'))) {
        listing.add({ file, path });
      }
    }
  }
}

async function read({ folder }: Place, { tally }: TreeListing): Promise<Dirent<Buffer>[]> {
  try {
    return await promises.readdir(folder, { encoding: 'buffer', withFileTypes: true });
  } catch {
    tally.skip('unreadable');
    return [];
  }
}
