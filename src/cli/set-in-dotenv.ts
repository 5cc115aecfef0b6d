import { existsSync } from 'node:fs';
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
  const now = parseEnv(after);
  const others = new Set([...Object.keys(old), ...Object.keys(now)].filter((one) => one !== name));
  if (now[name] !== value || [...others].some((one) => old[one] !== now[one])) {
    throw new Error(
      `${file} has a quotation mark that is not closed, so that a line added to it would not count; close it first`,
    );
  }
  write(file, after);
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
