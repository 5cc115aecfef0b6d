import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { DOTENV_LIMIT, errnoCode, explainUnreadable, readTextFile, UnreadableFile } from '../config/read-text-file.ts';
import { replaceFile } from '../config/replace-file.ts';
import { writeNewFile } from '../config/write-new-file.ts';

/**
 * Sets a variable in a `.env`, whole or not at all: in the place of a line that leaves it empty, otherwise in a line of its own at
 * the end. A new file is for this user alone; one that is there keeps its mode, its owner and its line ends.
 *
 * @throws Error where the variable is set already, or the file cannot be read or written, or would not mean it
 */
export function setInDotenv(file: string, name: string, value: string): void {
  const before = read(file);
  const old = parseEnv(before);
  for (const set of [name, `${name}_FILE`]) {
    if ((old[set] ?? '').trim() !== '')
      throw new Error(`${file} sets ${set} already and is left as it is; take that line out first`);
  }
  const end = before.includes('\r\n') ? '\r\n' : '\n';
  const empty = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, 'm');
  const start = before === '' || before.endsWith('\n') ? before : `${before}${end}`;
  const line = `${name}=${value}`;
  const after = empty.test(before) ? before.replace(empty, () => line) : `${start}${line}${end}`;
  if (!changesOnly(before, after, name, value)) {
    throw new Error(
      `${file} has a quotation mark that is not closed, so that a line added to it would not count; close it first`,
    );
  }
  write(file, after);
}

/**
 * Gives a variable of a `.env` another value, wherever it is set there, whole or not at all: quotes, comments, line ends, all other
 * lines, mode and owner stay.
 *
 * @param value of characters that need no quotes
 * @throws Error where the file does not set it, cannot be read or written, or would not mean it
 */
export function replaceInDotenv(file: string, name: string, value: string): void {
  const before = read(file);
  const line = new RegExp(
    `^([ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=[ \\t]*)("[^"]*"|'[^']*'|\`[^\`]*\`|[^#\\r\\n]*?)([ \\t]*(?:#.*)?)$`,
    'gm',
  );
  const after = before.replace(line, (_, start: string, old: string, end: string) => {
    const quote = /^["'`]/.exec(old)?.[0] ?? '';
    return `${start}${quote}${value}${quote}${end}`;
  });
  if (after === before || !changesOnly(before, after, name, value))
    throw new Error(`${file} does not set ${name} in a line of its own that could be replaced`);
  write(file, `${hasMark(file) ? '\ufeff' : ''}${after}`);
}

function changesOnly(before: string, after: string, name: string, value: string): boolean {
  const [old, now] = [parseEnv(before), parseEnv(after)];
  const others = new Set([...Object.keys(old), ...Object.keys(now)].filter((one) => one !== name));
  return now[name] === value && [...others].every((one) => old[one] === now[one]);
}

/** A byte order mark, which reading drops. */
function hasMark(file: string): boolean {
  return readFileSync(file).subarray(0, 3).equals(Buffer.from('\ufeff'));
}

/** The same for a file that holds a secret and nothing else; white space around it stays. */
export function replaceSecretFile(file: string, value: string): void {
  const before = read(file);
  write(file, `${hasMark(file) ? '\ufeff' : ''}${before.replace(before.trim(), () => value)}`);
}

function read(file: string): string {
  try {
    return readTextFile(file, DOTENV_LIMIT);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    if (error.code === 'ENOENT') return '';
    throw new Error(`${file} cannot be read ${explainUnreadable(error)}`);
  }
}

function write(file: string, text: string): void {
  try {
    if (existsSync(file)) replaceFile(file, text);
    else if (!writeNewFile(file, text, 0o600)) throw new Error(`${file} was made by someone else meanwhile; try again`);
  } catch (error) {
    const code = errnoCode(error);
    throw code === 'unknown' ? error : new Error(`${file} cannot be written (${code})`);
  }
}
