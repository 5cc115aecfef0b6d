import type { Coding } from '../authenticate/index.ts';

/** Words that change nothing of the bytes; a character set is no coding, and some senders name one. */
const NONE: ReadonlySet<string> = new Set(['', 'identity', 'utf-8', 'utf8']);

const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['br', 'br'],
  ['deflate', 'deflate'],
]);

/**
 * What a body is packed in, by its `Content-Encoding`; a coding named twice counts once, as where a proxy repeats the header.
 *
 * @returns `undefined` where it is not packed
 */
export function readCoding(header: string | undefined): Coding | 'unsupported' | undefined {
  if (header === undefined) return undefined;
  const words = header.split(',').map((word) =>
    word
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .toLowerCase(),
  );
  const codings = new Set(words.filter((word) => !NONE.has(word)).map((word) => CODINGS.get(word) ?? 'unsupported'));
  const [coding] = codings;
  return codings.size > 1 ? 'unsupported' : coding;
}
