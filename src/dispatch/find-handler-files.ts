import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import { errorCode } from './error-code.ts';

const HANDLER_FILE = /\.(?:ts|js|mjs)$/;
const DECLARATION = /\.d\.[cm]?ts$/;
const TEST = /\.(?:test|spec)\.[a-z]+$/;
/** Code that Node or a bundler runs, under an ending that is not taken here. */
const OTHER_CODE = /\.(?:[cm]?[jt]sx?|coffee)$/i;
/** Endings that a handler has by mistake. */
const MAYBE_HANDLER = /\.(?:[cm]?[jt]sx?|json|txt)$/i;

/** Subfolders below each other that are searched, files that are read, and bytes of each. */
const MAX_DEPTH = 3;
const MAX_READ = 200;
const READ_BYTES = 64 * 1024;

export interface HandlerFiles {
  readonly files: readonly string[];
  /** One for each file that looks like a handler and is none, with the fix. */
  readonly warnings: readonly string[];
}

/**
 * The handler files of a folder, by name: not its subfolders, where a handler may keep what it imports, and not dot
 * files, declarations or tests. An absent folder has none.
 *
 * @param show a path as the warnings have it
 * @throws SettingsError where it is there and cannot be read.
 */
export async function findHandlerFiles(dir: string, show: (path: string) => string): Promise<HandlerFiles> {
  const files: string[] = [];
  const warnings: string[] = [];
  const budget = { reads: MAX_READ };
  for (const name of await readNames(dir)) {
    const path = join(dir, name);
    if (isLeftAlone(name)) continue;
    const isTaken = HANDLER_FILE.test(name) && !TEST.test(name);
    const isFolder = await isDirectory(path);
    if (isTaken && !isFolder) files.push(path);
    else if (isTaken) warnings.push(`${show(path)} is a folder and no handler; put the handler file in its place`);
    else if (isFolder) warnings.push(...(await searchFolder(path, show, MAX_DEPTH, budget)));
    else warnings.push(...(await doubtFile(path, name, show, budget)));
  }
  return { files, warnings };
}

function isLeftAlone(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules' || DECLARATION.test(name);
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

/** Follows links: a mounted ConfigMap consists of them. A dangling one is a file, so that its failure to load is told. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

async function doubtFile(
  path: string,
  name: string,
  show: (path: string) => string,
  budget: { reads: number },
): Promise<string[]> {
  const isCode = OTHER_CODE.test(name) && !TEST.test(name);
  if (!isCode && !(MAYBE_HANDLER.test(name) && (await looksLikeHandler(path, budget)))) return [];
  return [
    TEST.test(name)
      ? `${show(path)} looks like a handler and is not loaded, because it is named like a test; rename it`
      : `${show(path)} is not loaded, because handler files end with .ts, .js or .mjs; rename it, or move it into a subfolder if handlers import it`,
  ];
}

/** Handlers that lie where none is looked for. Files that are imported by others look different, and are left alone. */
async function searchFolder(
  dir: string,
  show: (path: string) => string,
  depth: number,
  budget: { reads: number },
): Promise<string[]> {
  const entries = await readdir(dir).catch((): string[] => []);
  const warnings: string[] = [];
  for (const name of entries.toSorted()) {
    const path = join(dir, name);
    if (isLeftAlone(name) || TEST.test(name)) continue;
    if (MAYBE_HANDLER.test(name) && (await looksLikeHandler(path, budget))) {
      warnings.push(
        `${show(path)} looks like a handler and is not loaded, because it lies in a subfolder; move it into HANDLERS_DIR itself`,
      );
    } else if (depth > 1 && (await isDirectory(path))) {
      warnings.push(...(await searchFolder(path, show, depth - 1, budget)));
    }
  }
  return warnings;
}

/** Whether a file has a default export and the names of a handler's fields in it. */
async function looksLikeHandler(path: string, budget: { reads: number }): Promise<boolean> {
  if (budget.reads === 0) return false;
  budget.reads -= 1;
  try {
    await using file = await open(path);
    if (!(await file.stat()).isFile()) return false;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    const isExported =
      /\bexport\s+(?:default\b|\{[^}]*\bas default\b)|\bexports\b/.test(text) || path.endsWith('.json');
    return isExported && /\bevents\b/.test(text) && /\bhandle\b/.test(text);
  } catch {
    return false;
  }
}
