import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { LocalFile } from './find-local-file.ts';
import { errnoCode } from './read-text-file.ts';

/** The first bytes of every SQLite file. Source: SQLite's file format, section 1.3. */
const SIGNATURE = Buffer.from('SQLite format 3\0', 'latin1');

/**
 * A mistyped path must be found before anything is made beside the file that it names. One that is absent or cannot be
 * read is left to the store to open.
 */
export function findStoreFault(local: LocalFile | undefined): string[] {
  if (local === undefined) return [];
  const { file, setting } = local;
  try {
    // Not to wait for whoever might write to a pipe of that name.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) return [`${setting} names something that is no file; give it as sqlite:PATH of a file`];
      const first = Buffer.alloc(SIGNATURE.byteLength);
      readSync(descriptor, first);
      if (stats.size === 0 || first.equals(SIGNATURE)) return [];
      return [`${setting} names a file that is no SQLite database; give another path, or move that file away`];
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return errnoCode(error) === 'EISDIR' ? [`${setting} names a folder; give it as sqlite:PATH of a file`] : [];
  }
}
