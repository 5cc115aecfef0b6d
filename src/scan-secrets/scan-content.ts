import { createHmac } from 'node:crypto';
import { decodeContent } from './decode-content.ts';
import { keepFirst, lintText, type Match } from './lint-text.ts';

/** What is told of a secret outside of the thread that read it. */
export interface Hit {
  /** From 1; null in a binary file. */
  readonly line: number | null;
  readonly rule: string;
  readonly what: string;
  /** The same for the same secret, in this scan alone. */
  readonly print: string;
}

export interface Scanned {
  readonly binary: boolean;
  readonly hits: readonly Hit[];
}

export interface ScanKeys {
  /** The texts of secrets in use. */
  readonly known: readonly string[];
  /** Random, of this scan: a plain digest of a weak secret could be guessed. */
  readonly printKey: Uint8Array;
}

const KNOWN = { rule: 'known-secret', what: 'a secret that is in use' } as const;
const MASK = '[secret]';
/** Of one known text in one file. */
const MAX_REPEATS = 100;

/**
 * Looks for secrets in the content of a file.
 *
 * @param onKnown told first what of the secrets in use is there, since the rules may not come to an end
 */
export async function scanContent(
  bytes: Uint8Array,
  path: string,
  keys: ScanKeys,
  onKnown: (scanned: Scanned) => Promise<void> = async () => undefined,
): Promise<Scanned> {
  const { text, binary } = decodeContent(bytes);
  const known = findKnown(text, keys.known);
  const toHits = (matches: readonly Match[]): Hit[] => describe(text, binary, matches, keys.printKey);
  if (binary) return { binary, hits: toHits(known) };
  if (known.length > 0) await onKnown({ binary, hits: toHits(known) });
  return { binary, hits: toHits(keepFirst([...known, ...(await lintText(text, path))])) };
}

/** The path without what in it is itself a secret. */
export async function maskPath(path: string, { known }: Pick<ScanKeys, 'known'>): Promise<string> {
  const matches = keepFirst([...findKnown(path, known), ...(await lintText(path, 'path'))]);
  return matches
    .toSorted((a, b) => b.start - a.start)
    .reduce((masked, { start, end }) => masked.slice(0, start) + MASK + masked.slice(end), path);
}

/** Even where a comment switches the rules off: no secret in use has a right to be there. */
function findKnown(text: string, known: readonly string[]): Match[] {
  const matches: Match[] = [];
  for (const form of known) {
    let start = text.indexOf(form);
    for (let seen = 0; start !== -1 && seen < MAX_REPEATS; seen += 1) {
      matches.push({ ...KNOWN, start, end: start + form.length });
      start = text.indexOf(form, start + form.length);
    }
  }
  return keepFirst(matches);
}

function describe(text: string, binary: boolean, matches: readonly Match[], printKey: Uint8Array): Hit[] {
  let line = 1;
  let from = 0;
  return matches
    .toSorted((a, b) => a.start - b.start)
    .map(({ start, end, rule, what }) => {
      line += text.slice(from, start).match(/\r\n|\r|\n/g)?.length ?? 0;
      from = start;
      const print = createHmac('sha256', printKey).update(text.slice(start, end)).digest('base64url');
      return { line: binary ? null : line, rule, what, print };
    });
}
