import { closeSync, openSync, readSync } from 'node:fs';

/** Bytes that a `.env` may have. */
export const DOTENV_LIMIT = 1024 * 1024;

/** A file that could not be taken as text; `code` is an errno name or one of our own words. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
  readonly code: string;

  constructor(code: string, options?: ErrorOptions) {
    super(code, options);
    this.code = code;
  }
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  'not-text': 'it is not UTF-8 text',
  'utf-16': 'it is UTF-16, as Windows PowerShell writes; save it as UTF-8',
  'too-large': 'it is far too large for what it should hold',
};

/** `(ENOENT, no such file)`. */
export function explainUnreadable(error: UnreadableFile): string {
  const explanation = EXPLANATIONS[error.code];
  return explanation === undefined ? `(${error.code})` : `(${error.code}, ${explanation})`;
}

/**
 * The whole of a UTF-8 text file, without a byte order mark.
 *
 * @param limit bytes; a device without an end must not hang the start
 * @throws UnreadableFile
 */
export function readTextFile(path: string, limit: number): string {
  const bytes = readBytes(path, limit);
  if (bytes.length > limit) throw new UnreadableFile('too-large');
  if (isUtf16(bytes)) throw new UnreadableFile('utf-16');
  if (bytes.includes(0)) throw new UnreadableFile('not-text');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new UnreadableFile('not-text', { cause: error });
  }
}

/** By its mark or, where it has none, by the NUL in each of its ASCII letters. */
function isUtf16(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  const start = bytes.subarray(0, 8);
  return bytes.length >= 4 && [0, 1].some((odd) => start.every((byte, index) => (byte === 0) === (index % 2 === odd)));
}

function readBytes(path: string, limit: number): Uint8Array {
  const buffer = Buffer.alloc(limit + 1);
  let length = 0;
  try {
    const descriptor = openSync(path, 'r');
    try {
      let read = -1;
      while (read !== 0 && length < buffer.length) {
        read = readSync(descriptor, buffer, length, buffer.length - length, null);
        length += read;
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new UnreadableFile(errnoCode(error), { cause: error });
  }
  return buffer.subarray(0, length);
}

/** `ENOENT`, or `unknown` for what is not a system error. */
export function errnoCode(error: unknown): string {
  // Not by `instanceof`: an error of Node's own is no instance of another realm's Error.
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown';
}

/** A path in quotes and on one line, whatever is in it. */
export function show(path: string): string {
  return JSON.stringify(path);
}
