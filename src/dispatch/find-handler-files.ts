import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import { errorCode } from './error-code.ts';

const HANDLER_FILE = /^[^.].*\.(?:ts|js|mjs)$/;
const NO_HANDLER_FILE = /\.d\.ts$|\.(?:test|spec)\.[a-z]+$/;

/**
 * The handler files of a folder, by name: not its subfolders, where a handler may keep what it imports, and not dot
 * files, declarations or tests. An absent folder has none.
 *
 * @throws SettingsError where it is there and cannot be read.
 */
export async function findHandlerFiles(dir: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await readNames(dir)) {
    const file = join(dir, name);
    if (HANDLER_FILE.test(name) && !NO_HANDLER_FILE.test(name) && (await isFile(file))) files.push(file);
  }
  return files;
}

async function readNames(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).toSorted();
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error';
    if (code === 'ENOENT') return [];
    throw new SettingsError([
      `HANDLERS_DIR: ${dir} cannot be read as a folder (${code}); set it to a folder of handler files`,
    ]);
  }
}

/** Follows links: a mounted ConfigMap consists of them. A dangling one counts, so that its failure to load is told. */
async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch {
    return true;
  }
}
