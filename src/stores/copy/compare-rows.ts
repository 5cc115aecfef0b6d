import { createHash, type Hash } from 'node:crypto';
import type { CopySource, PageLimits } from '../sqlite/copy-source.ts';
import type { CopiedRow, CopiedTable, CopyMoment } from './copied-table.ts';
import type { CopyTarget } from './copy-target.ts';
import { keyOf, readSource, readTarget } from './move-rows.ts';
import { FIRST_KEY, LAST_KEY } from './tables.ts';

/** SHA-256 over a whole table, every column of every row in order, on either side. */
export interface TableComparison {
  readonly table: string;
  /** Hex. */
  readonly source: string;
  readonly target: string;
  /** The key of the first row that is not the same; `null`: all are. */
  readonly firstDifference: number | null;
}

export interface CompareOptions {
  readonly limits: PageLimits;
  readonly copy: CopyMoment;
  /** Called with the number of rows of each page. */
  readonly onPage: (rows: number) => void;
  readonly signal: AbortSignal;
}

/** Page by page, so that memory does not grow with the table. */
export async function compareTable(
  source: CopySource,
  target: CopyTarget,
  table: CopiedTable,
  options: CompareOptions,
): Promise<TableComparison> {
  const hashes = { source: createHash('sha256'), target: createHash('sha256') };
  let firstDifference: number | null = null;
  let after = FIRST_KEY;
  for (;;) {
    options.signal.throwIfAborted();
    const expected = readSource(source, table, after, options);
    const last = expected.at(-1);
    const upTo = last === undefined ? LAST_KEY : keyOf(table, last);
    // One more than there should be, so that a row too many shows too.
    const range = { after, upTo, limit: expected.length + 1 };
    const found = await target.read((runner) => readTarget(runner, table, range));
    const difference = comparePage(table, { expected, found }, hashes);
    firstDifference ??= difference;
    if (last === undefined) break;
    after = upTo;
    options.onPage(expected.length);
  }
  return {
    table: table.name,
    source: hashes.source.digest('hex'),
    target: hashes.target.digest('hex'),
    firstDifference,
  };
}

function comparePage(
  table: CopiedTable,
  { expected, found }: { readonly expected: readonly CopiedRow[]; readonly found: readonly CopiedRow[] },
  hashes: { readonly source: Hash; readonly target: Hash },
): number | null {
  let difference: number | null = null;
  for (let at = 0; at < Math.max(expected.length, found.length); at += 1) {
    const [ours, theirs] = [expected[at], found[at]];
    const [left, right] = [ours && factsOf(table, ours), theirs && factsOf(table, theirs)];
    for (const part of left ?? []) hashes.source.update(part);
    for (const part of right ?? []) hashes.target.update(part);
    if (difference !== null || isSame(left, right)) continue;
    difference = Math.min(ours ? keyOf(table, ours) : LAST_KEY, theirs ? keyOf(table, theirs) : LAST_KEY);
  }
  return difference;
}

/** One line of JSON, in which bytes stand as their number, and then the bytes. */
function factsOf({ columns }: CopiedTable, row: CopiedRow): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  const facts = columns.map(({ name }) => {
    const cell = row[name] ?? null;
    if (!(cell instanceof Uint8Array)) return cell;
    blocks.push(cell);
    return cell.byteLength;
  });
  return [Buffer.from(`${JSON.stringify(facts)}\n`), ...blocks];
}

function isSame(left: readonly Uint8Array[] | undefined, right: readonly Uint8Array[] | undefined): boolean {
  if (left === undefined || right === undefined || left.length !== right.length) return false;
  return left.every((part, index) => Buffer.compare(part, right[index] ?? new Uint8Array(0)) === 0);
}
