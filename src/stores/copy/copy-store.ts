import type { KeyObject } from 'node:crypto';
import type { AuditDraft, AuditMetadata } from '../../audit/entry.ts';
import type { AuditVerdict } from '../../audit/verify.ts';
import type { Store } from '../../inbox/store.ts';
import { CopySource, type PageLimits } from '../sqlite/copy-source.ts';
import { checkSourceLog, checkTargetLog, readNewest } from './check-log.ts';
import { compareTable, type TableComparison } from './compare-rows.ts';
import { type CopyRecord, CopyTarget } from './copy-target.ts';
import { countSource, countTarget, type RowCounts, sumOfRows } from './count-rows.ts';
import { finishCopy } from './finish-copy.ts';
import { insertRows, keyOf, readSource } from './move-rows.ts';
import { FIRST_KEY, TABLES } from './tables.ts';

/** One step: what is lost where it is interrupted. */
const STEP: PageLimits = { rows: 2_000, bytes: 8 * 1024 * 1024 };

export interface CopyOptions {
  /** The SQLite file. */
  readonly file: string;
  /** Of the PostgreSQL database, with the password. */
  readonly url: string;
  readonly key: KeyObject;
  /** What an unfinished copy has brought is removed first. */
  readonly startOver: boolean;
  /** Called before anything is written. @throws where the key is not that of the file's log */
  readonly checkKey: (log: Pick<Store, 'tailAudit'>) => Promise<void>;
  /** Makes the entry that is written last. */
  readonly toDraft: (facts: AuditMetadata) => AuditDraft;
  readonly onBegin: (record: CopyRecord) => void;
  readonly onProgress: (phase: 'copied' | 'compared', rows: number, total: number) => void;
  /** Ends it after the step under way. */
  readonly signal: AbortSignal;
}

export interface CopyVerdict {
  /** Nothing differs, and the copy is finished. */
  readonly ok: boolean;
  readonly resumed: boolean;
  readonly counts: { readonly source: RowCounts; readonly target: RowCounts };
  readonly tables: readonly TableComparison[];
  readonly log: AuditVerdict;
  /** Whether the log fails and did so in the file already. */
  readonly logWasBroken: boolean;
}

export type CopyResult =
  | { readonly kind: 'copied'; readonly verdict: CopyVerdict }
  /** By an earlier run; epoch milliseconds. */
  | { readonly kind: 'finished before'; readonly finishedAt: number };

/**
 * Copies a store's SQLite file into an empty PostgreSQL database, every row under its own number, and compares the two in
 * full. Each step is one transaction that also says how far it came, so it can be ended at any moment and goes on there
 * when it is called again; until it is finished nobody else can use the database.
 *
 * Into an empty one alone: two histories would have to be numbered, put in order and rid of doubles, and no comparison
 * could tell any more whether all of it arrived.
 *
 * @throws Error where one of the two cannot be used for this; StoreUnavailable where PostgreSQL went away; SettingsError
 */
export async function copyStore(options: CopyOptions): Promise<CopyResult> {
  const source = CopySource.open(options.file);
  try {
    await options.checkKey({ tailAudit: async (limit) => readNewest(source, limit) });
    const target = await CopyTarget.open(options.url);
    try {
      return await copyInto(source, target, options);
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

async function copyInto(source: CopySource, target: CopyTarget, options: CopyOptions): Promise<CopyResult> {
  const record = await findRecord(source.fingerprint(), target, options.startOver);
  if (record.finishedAt !== null) return { kind: 'finished before', finishedAt: record.finishedAt };
  options.onBegin(record);
  const counts = countSource(source);
  await copyRows(source, target, { record, total: sumOfRows(counts), options });
  const verdict = await compare(source, target, { record, counts, options });
  if (verdict.ok) await finishCopy(target, options.key, options.toDraft(describe(verdict)), Date.now());
  return { kind: 'copied', verdict };
}

async function findRecord(fingerprint: string, target: CopyTarget, startOver: boolean): Promise<CopyRecord> {
  let record = await target.readRecord();
  if (startOver && record?.finishedAt === null) {
    await target.empty();
    record = undefined;
  }
  record ??= await target.begin(fingerprint, Date.now());
  if (record === undefined || (record.finishedAt !== null && record.source !== fingerprint))
    throw new Error('that database is in use already; copy into one of its own, which is empty');
  if (record.source !== fingerprint)
    throw new Error(
      'that database holds an unfinished copy of another file, or of this one before something was written to it; --start-over removes it and begins anew',
    );
  return record;
}

interface Copying {
  readonly record: CopyRecord;
  readonly total: number;
  readonly options: CopyOptions;
}

async function copyRows(source: CopySource, target: CopyTarget, { record, total, options }: Copying): Promise<void> {
  const first = TABLES.findIndex(({ name }) => name === record.table);
  if (first === -1) throw new Error('the copy was begun by another release of the receiver; go on with that one');
  let { rows } = record;
  for (const table of TABLES.slice(first)) {
    let key = table.name === record.table ? record.key : FIRST_KEY;
    for (;;) {
      options.signal.throwIfAborted();
      const page = readSource(source, table, key, { limits: STEP, copy: record });
      const last = page.at(-1);
      if (last === undefined) break;
      key = keyOf(table, last);
      rows += page.length;
      await target.step({ table: table.name, key, rows }, (runner) => insertRows(runner, table, page));
      options.onProgress('copied', rows, total);
    }
  }
}

interface Comparing {
  readonly record: CopyRecord;
  readonly counts: RowCounts;
  readonly options: CopyOptions;
}

async function compare(
  source: CopySource,
  target: CopyTarget,
  { record, counts, options }: Comparing,
): Promise<CopyVerdict> {
  const { key, signal } = options;
  const found = await target.read(countTarget);
  const total = sumOfRows(counts);
  let compared = 0;
  const onPage = (rows: number): void => {
    compared += rows;
    options.onProgress('compared', compared, total);
  };
  const tables: TableComparison[] = [];
  for (const table of TABLES) {
    tables.push(await compareTable(source, target, table, { limits: STEP, copy: record, onPage, signal }));
  }
  const log = await checkTargetLog(target, key, signal);
  const logWasBroken = !log.ok && !(await checkSourceLog(source, key, signal)).ok;
  const sameCounts = [...counts].every(([what, n]) => found.get(what) === n);
  return {
    ok: sameCounts && tables.every((table) => table.source === table.target) && (log.ok || logWasBroken),
    resumed: record.key !== FIRST_KEY,
    counts: { source: counts, target: found },
    tables,
    log,
    logWasBroken,
  };
}

function describe({ counts, tables, resumed }: CopyVerdict): AuditMetadata {
  const of = (what: string): number => counts.source.get(what) ?? 0;
  return {
    events: of('events'),
    deliveries: of('deliveries pending') + of('deliveries done') + of('deliveries dead'),
    quarantined: of('quarantined, held') + of('quarantined, retried'),
    auditEntries: of('audit entries'),
    eventsSha256: tables.find(({ table }) => table === 'events')?.source ?? '',
    resumed,
  };
}
