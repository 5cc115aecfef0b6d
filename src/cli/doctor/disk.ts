import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoCode } from '../../config/read-text-file.ts';
import { type Check, fail, ok, warn } from './check.ts';
import { settingsOf } from './context.ts';

const MB = 1024 ** 2;
/** Of MIN_FREE_DISK: so little more is left. */
const NEAR = 2;

/** Free space where the store lies, or with PostgreSQL the spill. */
export const diskCheck: Check = {
  name: 'disk',
  needs: ['DATABASE_URL', 'SPILL_DATABASE_URL', 'MIN_FREE_DISK'],
  run: async (context) => {
    const { dataDir, minFreeDiskBytes: least } = settingsOf(context);
    const free = await freeBytes(dataDir);
    const left = `${showSize(free)} are free in ${dataDir}`;
    if (free < least) {
      return [
        fail(
          `${left}, less than MIN_FREE_DISK (${showSize(least)}): requests of strangers are only counted`,
          'free some, or give the data folder a larger disk',
        ),
      ];
    }
    if (free < least * NEAR) {
      return [warn(`${left}, and below MIN_FREE_DISK (${showSize(least)}) less is written`, 'free some')];
    }
    return [ok(left)];
  },
};

/** Of the folder, or where it would be made. */
async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    return freeBytes(dirname(folder));
  }
}

function showSize(bytes: number): string {
  return `${Math.floor(bytes / MB).toLocaleString('en')} MB`;
}
