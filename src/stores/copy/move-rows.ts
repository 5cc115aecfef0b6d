import { joinBytes, toText } from '../postgres/text.ts';
import type { Runner, Statement, Value } from '../postgres/transaction.ts';
import type { CopySource, PageLimits, SourceRow } from '../sqlite/copy-source.ts';
import type { Cell, Column, CopiedRow, CopiedTable, CopyMoment } from './copied-table.ts';

const NO_BYTES = new Uint8Array(0);

/** The next rows of the file, as they are to stand in the copy. */
export function readSource(
  source: CopySource,
  table: CopiedTable,
  after: number,
  { limits, copy }: { readonly limits: PageLimits; readonly copy: CopyMoment },
): CopiedRow[] {
  const { adapt } = table;
  return source.page(table.source, after, limits).map((row) => {
    const fit = toCopied(row, table.columns);
    return adapt === undefined ? fit : adapt(fit, copy);
  });
}

function toCopied(row: SourceRow, columns: readonly Column[]): CopiedRow {
  return Object.fromEntries(columns.map(({ name, type }) => [name, toCell(row[name] ?? null, type)]));
}

function toCell(value: SourceRow[string] | null, type: Column['type']): Cell {
  if (typeof value === 'string') return toText(value);
  return type === 'boolean' && value !== null && value !== undefined ? value !== 0 : (value ?? null);
}

export function keyOf(table: CopiedTable, row: CopiedRow): number {
  return Number(row[table.key]);
}

export async function insertRows(runner: Runner, table: CopiedTable, rows: readonly CopiedRow[]): Promise<void> {
  await runner.all(insertStatement(table), ...insertValues(table, rows));
}

export function readTarget(
  runner: Runner,
  table: CopiedTable,
  range: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<CopiedRow[]> {
  const statement = { name: `copied: ${table.name}`, text: table.target };
  return runner.all(statement, range.after, range.upTo, range.limit);
}

/** Bytes go as one block for each column, and beside it where each row's end and how many they are; none is NULL. */
function insertStatement({ name, columns, insert }: CopiedTable): Statement {
  let last = 0;
  const next = (): string => {
    last += 1;
    return `$${last}`;
  };
  const arrays: string[] = [];
  const names: string[] = [];
  const values: string[] = [];
  for (const column of columns) {
    if (column.type === 'bytea') {
      const [block, end, size] = [next(), `${column.name}_end`, `${column.name}_size`];
      arrays.push(`${next()}::int[]`, `${next()}::int[]`);
      names.push(end, size);
      values.push(`substring(${block}::bytea FROM ${end} - ${size} + 1 FOR ${size}) AS ${column.name}`);
    } else {
      arrays.push(`${next()}::${column.type}[]`);
      names.push(column.name);
      values.push(column.name);
    }
  }
  const rows = `SELECT ${values.join(', ')} FROM unnest(${arrays.join(', ')}) AS i (${names.join(', ')})`;
  return { name: `copy: ${name}`, text: `WITH rows AS (${rows}) ${insert}` };
}

function insertValues({ columns }: CopiedTable, rows: readonly CopiedRow[]): Value[] {
  return columns.flatMap(({ name, type }): Value[] => {
    const cells = rows.map((row) => row[name] ?? null);
    if (type !== 'bytea') return [cells as readonly (string | number | boolean | null)[]];
    const parts = cells.map((cell) => (cell instanceof Uint8Array ? cell : undefined));
    const { bytes, ends } = joinBytes(parts.map((part) => part ?? NO_BYTES));
    return [bytes, ends, parts.map((part) => part?.byteLength ?? null)];
  });
}
