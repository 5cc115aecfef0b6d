import { endOfString } from './scan-json.ts';

/** A page of Instantly's delivery log, its payloads apart from the rest. */
export interface SplitPage {
  /** The page as JSON, with the place of its text in `payloads` in place of each payload. */
  readonly text: string;
  /** UTF-8. Nothing of them is checked. */
  readonly payloads: readonly Uint8Array<ArrayBuffer>[];
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** `{ items: [ { payload } ] }` */
const LEVEL = 3;
const NAME = '"payload"';

/**
 * Takes the payloads out of a page as they are written, so that they are neither built nor written anew: a page may hold tens of
 * megabytes of small values.
 *
 * @param text any text: one that is no JSON gives a `text` that is none, or a payload that is none
 */
export function splitPayloads(text: string): SplitPage {
  const payloads: Uint8Array<ArrayBuffer>[] = [];
  let rest = '';
  let level = 0;
  let copied = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at + 1);
      const start = level === LEVEL ? findPayload(text, at, end) : -1;
      at = start === -1 ? end : endOfValue(text, start);
      if (start === -1) continue;
      rest += text.slice(copied, start) + payloads.length;
      payloads.push(new Uint8Array(Buffer.from(text.slice(start, at).trimEnd())));
      copied = at;
    } else {
      level += levelChange(code);
      at++;
    }
  }
  return { text: rest + text.slice(copied), payloads };
}

/** The place of the comma or bracket behind the value. */
function endOfValue(text: string, from: number): number {
  let level = 0;
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const change = levelChange(code);
    if (level === 0 && (change < 0 || code === COMMA)) return at;
    level += change;
    at = code === QUOTE ? endOfString(text, at + 1) : at + 1;
  }
  return text.length;
}

/** Where the value of the member begins that this string names; -1 where it does not name a payload. */
function findPayload(text: string, from: number, end: number): number {
  if (end - from !== NAME.length || !text.startsWith(NAME, from)) return -1;
  const [between = ''] = /^\s*:\s*/.exec(text.slice(end, end + 64)) ?? [];
  return between === '' ? -1 : end + between.length;
}

function levelChange(code: number): -1 | 0 | 1 {
  // Both kinds of bracket differ in one bit.
  const kind = code | 0x20;
  if (kind === OPEN) return 1;
  return kind === CLOSE ? -1 : 0;
}
