import { constants, promises } from 'node:fs';
import { errnoCode } from '../config/read-text-file.ts';
import type { SkipReason } from './report.ts';

/** Bytes. */
export const CONTENT_LIMIT = 2 * 1024 * 1024;

export type ReadFile =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'skipped'; readonly reason: SkipReason }
  /** It is there no more: another process took it away, or it is tracked and deleted. */
  | { readonly kind: 'gone' };

/** Reads a file that may be anything: no link is followed and no pipe waited for. */
export async function readFile(file: Buffer): Promise<ReadFile> {
  try {
    // Before it is opened, which does something to some devices.
    if (!(await promises.lstat(file)).isFile()) return { kind: 'skipped', reason: 'notAFile' };
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    const handle = await promises.open(file, flags);
    try {
      return await readWhole(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = errnoCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'gone' };
    return { kind: 'skipped', reason: code === 'ELOOP' ? 'notAFile' : 'unreadable' };
  }
}

async function readWhole(handle: promises.FileHandle): Promise<ReadFile> {
  const stats = await handle.stat();
  if (!stats.isFile()) return { kind: 'skipped', reason: 'notAFile' };
  if (stats.size > CONTENT_LIMIT) return { kind: 'skipped', reason: 'tooLarge' };
  const buffer = Buffer.allocUnsafe(stats.size);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
    // It has become shorter meanwhile.
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return { kind: 'read', bytes: buffer.subarray(0, length) };
}
