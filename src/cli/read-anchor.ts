import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HEADS_FILE } from '../audit/heads-file.ts';
import { type AnchorHead, parseAnchor, parseHeadsFile } from '../audit/parse-anchor.ts';
import { errnoCode } from '../config/read-text-file.ts';
import type { Settings } from '../config/settings.ts';

/** The receiver's own file of heads, as faults name it. */
export const OWN_ANCHOR = `${HEADS_FILE} beside the store`;

/** @throws AnchorError where the file holds no head */
export function readAnchor(file: string): AnchorHead[] {
  return parseAnchor(readHeads(file));
}

function readHeads(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read (${errnoCode(error)})`);
  }
}

/**
 * The heads that receivers have written beside this SQLite file; to be called before the store is read, which then holds
 * them all. None with PostgreSQL, where such a file names heads of a spill too, which are not in the store yet.
 */
export function readOwnAnchor({ dataDir, store }: Settings): AnchorHead[] {
  if (store.kind !== 'sqlite') return [];
  const files = [`${HEADS_FILE}.1`, HEADS_FILE].map((name) => join(dataDir, name)).filter((file) => existsSync(file));
  return parseHeadsFile(files.map(readHeads).join('\n'), basename(store.file));
}
