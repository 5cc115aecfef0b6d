import type { ChainHead } from './entry.ts';
import { isHead } from './heads.ts';

/** `msg` of the log line that carries the heads to stdout. */
export const HEADS_MESSAGE = 'audit heads';

/** A head kept elsewhere. */
export interface AnchorHead extends ChainHead {
  /** Epoch milliseconds: the earliest time at which this head is known to have stood, where the source says so. */
  readonly time?: number;
}

/** The anchor proves nothing, so it must not be taken for a proof. */
export class AnchorError extends Error {
  override readonly name = 'AnchorError';
}

/**
 * Every head in a text that was kept elsewhere, each once, in order of writer and seq. A head may stand in
 * a line of the service's log (JSON with `"msg":"audit heads"` and `heads`; a prefix before it does not matter),
 * in a JSON document with `heads`, or as a plain line `writer seq hash`. Other lines are skipped.
 * Throws an AnchorError where there is none.
 */
export function parseAnchor(text: string): AnchorHead[] {
  const found = new Map<string, AnchorHead>();
  const document = parseRecord(text);
  if (document === undefined) for (const line of text.split('\n')) readLine(line.trim(), found);
  else readRecord(document, found);
  if (found.size === 0) {
    throw new AnchorError('The anchor holds no head: give lines of the log with "audit heads", or `writer seq hash`.');
  }
  return inOrder(found);
}

/** Heads of one SQLite file out of the heads file beside it, which holds those of other stores too where the setting has
 * changed. None where no line names that file. */
export function parseHeadsFile(text: string, store: string): AnchorHead[] {
  const found = new Map<string, AnchorHead>();
  for (const line of text.split('\n')) {
    const record = parseRecord(line);
    if (record?.['store'] === store) readRecord(record, found);
  }
  return inOrder(found);
}

function inOrder(found: ReadonlyMap<string, AnchorHead>): AnchorHead[] {
  return [...found.values()].sort((a, b) => (a.writer === b.writer ? a.seq - b.seq : a.writer < b.writer ? -1 : 1));
}

function readLine(line: string, found: Map<string, AnchorHead>): void {
  const [writer, seq, hash, ...rest] = line.split(/\s+/);
  const plain = { writer, seq: Number(seq), hash };
  if (rest.length === 0 && isHead(plain)) {
    keep(plain, undefined, found);
    return;
  }
  const start = line.indexOf('{');
  const record = start === -1 ? undefined : parseRecord(line.slice(start));
  if (record !== undefined) readRecord(record, found);
}

function readRecord(record: { readonly [key: string]: unknown }, found: Map<string, AnchorHead>): void {
  const { msg, heads, handler } = record;
  if (!Array.isArray(heads) || (msg !== undefined && msg !== HEADS_MESSAGE)) return;
  // A user's handler logs to the same stdout, and may say whatever it likes.
  if (handler !== undefined) return;
  for (const head of heads) if (isHead(head)) keep(head, timeOf(record['time']), found);
}

function keep({ writer, seq, hash }: ChainHead, time: number | undefined, found: Map<string, AnchorHead>): void {
  const name = `${writer} ${seq} ${hash}`;
  const known = found.get(name)?.time;
  const earliest = time === undefined || (known !== undefined && known < time) ? known : time;
  found.set(name, { writer, seq, hash, ...(earliest === undefined ? {} : { time: earliest }) });
}

/** The log's clock writes epoch milliseconds, or ISO 8601 where it is so configured. */
function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : value;
  return typeof time === 'number' && Number.isFinite(time) ? time : undefined;
}

function parseRecord(text: string): { readonly [key: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as { readonly [key: string]: unknown }) : undefined;
  } catch {
    return undefined;
  }
}
