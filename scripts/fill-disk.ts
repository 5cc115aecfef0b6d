import { closeSync, openSync, writeSync } from 'node:fs';

const BLOCK = Buffer.alloc(64 * 1024);

/** Makes a file that takes the last byte of its disk. */
export function fillDisk(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let size = BLOCK.byteLength; size >= 1; ) {
      // A smaller piece may still fit where a larger one does not.
      if (!writes(descriptor, size)) size = Math.floor(size / 2);
    }
  } finally {
    closeSync(descriptor);
  }
}

function writes(descriptor: number, size: number): boolean {
  try {
    return writeSync(descriptor, BLOCK, 0, size) > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
