/** How PostgreSQL is told of a value. */
type ColumnType = 'bigint' | 'integer' | 'boolean' | 'text' | 'uuid' | 'bytea';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

export type Cell = string | number | boolean | null | Uint8Array;

/** As it stands in the copy. */
export type CopiedRow = Readonly<Record<string, Cell>>;

/**
 * One table, or two that belong together. What is read from the file and what is read back from the copy have the same
 * columns, so that the two can be compared in full.
 */
export interface CopiedTable {
  readonly name: string;
  /** The column that numbers the rows. */
  readonly key: string;
  readonly columns: readonly Column[];
  /** SQLite: the columns, from after the key `?`, in its order, `?` rows. */
  readonly source: string;
  /** PostgreSQL: what follows `WITH rows AS (…)` to store what stands there. */
  readonly insert: string;
  /** PostgreSQL: the columns back, from after the key $1 up to $2, in its order, $3 rows. */
  readonly target: string;
  /** What the row becomes in the copy; absent: it stays as it is. */
  readonly adapt?: (row: CopiedRow, copy: CopyMoment) => CopiedRow;
}

export interface CopyMoment {
  /** When the copy began, epoch milliseconds: the same for one that is resumed. */
  readonly startedAt: number;
}

export function columns(types: Readonly<Record<string, ColumnType>>): Column[] {
  return Object.entries(types).map(([name, type]) => ({ name, type }));
}
