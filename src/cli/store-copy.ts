import { type Command, Option } from 'commander';
import { deriveAuditKey } from '../audit/chain.ts';
import type { Settings } from '../config/settings.ts';
import { StoreUnavailable } from '../errors/problem.ts';
import type { CopyOptions, CopyResult } from '../stores/copy/copy-store.ts';
import { refuseForeignKey } from '../stores/refuse-foreign-key.ts';
import { Interrupted, interruptible } from './interrupt.ts';
import { commandSettings, operatorDraft } from './open-store.ts';
import { jsonOption } from './options.ts';
import { count, isoTime, note, print, printJson, showTime } from './print.ts';
import { type Progress, startProgress } from './progress.ts';
import { type CopyEnds, type EndOptions, findEnds } from './store-copy-ends.ts';
import { printVerdict, toDocument } from './store-copy-report.ts';

const HELP = `
Each end may be left out where DATABASE_URL names it. An address on the command
line can be seen by every user of this machine while the command runs: give it
in a file (--to-file), in DATABASE_URL, or without its password, which is then
taken from PGPASSWORD or ~/.pgpass.

Stop the receiver first. The database has to be new and empty. Interrupted, the
copy goes on where it was when the same command runs again. At the end
everything is compared: how many rows there are of each kind, SHA-256 over every
row of both sides in order, and the audit log. The file is left as it is.

Until the copy is finished nothing else can use the database: receivers on it
take events into their spill and workers wait, so they may be started as soon as
the copy has begun. They need the AUDIT_KEY of the file's log.

Examples:
  store copy --to-file secrets/database-url
  store copy --from sqlite:data/receiver.db --to postgres://receiver@db/receiver`;

const PROGRESS = { copied: 'rows copied', compared: 'rows compared' } as const;

interface StoreCopyOptions extends EndOptions {
  readonly startOver?: true;
  readonly json?: true;
}

/** `store copy`: what a SQLite file holds, into PostgreSQL. */
export function registerCopy(store: Command): void {
  store
    .command('copy')
    .description('copy a SQLite file into an empty PostgreSQL database, resumably, and compare the two')
    .addOption(new Option('--from <url>', 'the file, as sqlite:PATH (default: DATABASE_URL)'))
    .addOption(new Option('--to <url>', 'the database, as postgres://… (default: DATABASE_URL)').conflicts('toFile'))
    .addOption(new Option('--to-file <path>', 'a file that holds its address'))
    .addOption(new Option('--start-over', 'remove what an unfinished copy has brought, and begin anew'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(copy);
}

async function copy(options: StoreCopyOptions, command: Command): Promise<void> {
  const settings = commandSettings();
  const ends = findEnds(options, settings, command);
  // What lies beside the file is personal: for this user alone.
  process.umask(0o077);
  const result = await run(ends, settings, options.startOver === true);
  if (result.kind === 'finished before') tellFinished(result.finishedAt, ends, options);
  else tellVerdict(result, ends, options);
}

async function run(ends: CopyEnds, settings: Settings, startOver: boolean): Promise<CopyResult> {
  // Here and not above, so that other commands need not load what speaks to PostgreSQL.
  const { copyStore } = await import('../stores/copy/copy-store.ts');
  const stop = interruptible();
  let isBegun = false;
  let progress: { readonly phase: keyof typeof PROGRESS; readonly shown: Progress } | undefined;
  const onProgress: CopyOptions['onProgress'] = (phase, rows, total) => {
    if (progress?.phase !== phase) {
      progress?.shown.stop();
      progress = { phase, shown: startProgress(PROGRESS[phase], total) };
    }
    progress.shown.update(rows);
  };
  try {
    return await copyStore({
      file: ends.file,
      url: ends.url.reveal(),
      key: deriveAuditKey(settings.audit.key),
      startOver,
      checkKey: (log) => refuseForeignKey(log, deriveAuditKey(settings.audit.key), ends.file),
      toDraft: (facts) => operatorDraft('store.copy', facts),
      onBegin: ({ startedAt, rows }) => {
        isBegun = true;
        tellBegin(ends, startedAt, rows);
      },
      onProgress,
      signal: stop.signal,
    });
  } catch (error) {
    progress?.shown.stop();
    if (isBegun && (error instanceof Interrupted || error instanceof StoreUnavailable)) {
      note('Interrupted. What has been copied is kept: the same command goes on from there.');
    }
    throw error;
  } finally {
    progress?.shown.stop();
    stop.release();
  }
}

function tellBegin({ file, location }: CopyEnds, startedAt: number, rows: number): void {
  if (rows === 0) note(`Copying ${file} to ${location}.`);
  else note(`Going on with the copy to ${location} begun at ${showTime(startedAt)}: ${count(rows, 'row')} are there.`);
}

function tellFinished(finishedAt: number, { location }: CopyEnds, { json }: StoreCopyOptions): void {
  if (json) printJson({ ok: true, copiedAt: isoTime(finishedAt), location });
  else print(`All of it was copied to ${location} at ${showTime(finishedAt)}; there is nothing left to do.\n`);
}

function tellVerdict(
  { verdict }: Extract<CopyResult, { kind: 'copied' }>,
  { location }: CopyEnds,
  { json }: StoreCopyOptions,
): void {
  // Before anything is printed: a reader that goes away must not turn a failure into a success.
  process.exitCode = verdict.ok ? 0 : 1;
  if (json) printJson({ ...toDocument(verdict), location });
  else printVerdict(verdict);
  if (verdict.ok) note(`From now on use DATABASE_URL with ${location}, and the same AUDIT_KEY. The file is as it was.`);
  else
    note(
      'The copy differs, and nothing can use it. Find out who else writes to that database; --start-over copies anew.',
    );
}
