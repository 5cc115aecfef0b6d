import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errnoCode } from './read-text-file.ts';

/** The first bytes of every SQLite file. Source: SQLite's file format, section 1.3. */
const SIGNATURE = Buffer.from('SQLite format 3\0', 'latin1');

/**
 * A mistyped DATABASE_URL must be found before anything is made beside the file that it names.
 *
 * @param file absolute path; one that is absent or cannot be read is left to the store to open
 */
export function findStoreFault(file: string | undefined): string[] {
  if (file === undefined) return [];
  try {
    const descriptor = openSync(file, 'r');
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) return ['DATABASE_URL names something that is no file; give it as sqlite:PATH of a file'];
      const first = Buffer.alloc(SIGNATURE.byteLength);
      readSync(descriptor, first);
      if (stats.size === 0 || first.equals(SIGNATURE)) return [];
      return ['DATABASE_URL names a file that is no SQLite database; give another path, or move that file away'];
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return errnoCode(error) === 'EISDIR' ? ['DATABASE_URL names a folder; give it as sqlite:PATH of a file'] : [];
  }
}
