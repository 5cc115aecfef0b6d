import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsyncSync, linkSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoCode } from './read-text-file.ts';

/**
 * Writes a file that must not exist yet, so that it is there whole or not at all, on disk when this returns. Its folder
 * is made with mode 0700 where it is missing.
 *
 * @returns false where the file exists already; it is left as it is.
 * @throws the system's error
 */
export function writeNewFile(file: string, text: string, mode: number): boolean {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  writeDraft(draft, text, mode);
  try {
    // A rename would replace what another process has just written; a link fails instead, and both agree on one value.
    linkSync(draft, file);
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
  syncFolder(folder);
  return true;
}

function writeDraft(draft: string, text: string, mode: number): void {
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    // The umask may have taken bits from the mode at opening.
    fchmodSync(descriptor, mode);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
