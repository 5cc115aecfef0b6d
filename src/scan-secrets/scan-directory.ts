import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errnoCode } from '../config/read-text-file.ts';
import type { Secret } from '../config/secret.ts';
import { findRepository, type Repository } from './find-repository.ts';
import { Findings } from './gather-findings.ts';
import { knownForms } from './known-forms.ts';
import { readFile } from './read-file.ts';
import { type ScanReport, Tally } from './report.ts';
import { GitFailure } from './run-git.ts';
import { scanHistory } from './scan-history.ts';
import { type OnProgress, ScanRun } from './scan-run.ts';
import { scanIndex, scanTree } from './scan-tree.ts';
import { ThreadPool } from './thread-pool.ts';

export interface ScanOptions {
  readonly dir: string;
  /** Whether to look at what was ever committed, too. */
  readonly history: boolean;
  /** Look at what the next commit would add, and at nothing else. */
  readonly staged?: {
    /** Path of git's index, from the top of the work tree; default: the repository's own. */
    readonly index?: string | undefined;
  };
  readonly signal: AbortSignal;
  /** Secrets in use: found by themselves wherever they stand. */
  readonly known?: readonly Secret[];
  /** Absolute paths of files in which a secret belongs, and is no finding outside of a repository. */
  readonly homes?: readonly string[];
  /** Told once at the start of each phase and after each file. */
  readonly onProgress?: OnProgress;
}

/**
 * Looks for secrets in the files of a folder and in the history of the repository it lies in.
 *
 * In a repository a file counts if it is tracked, or could be added because nothing ignores it: an ignored `.env` is
 * where secrets belong. `.secretlintignore` in the folder names paths that are not looked at. What could not be looked at
 * is counted, and does not end the scan. Nothing of a secret is in the report.
 *
 * @throws Error where the folder cannot be entered; the signal's reason
 */
export async function scanDirectory(options: ScanOptions): Promise<ScanReport> {
  const { signal } = options;
  const dir = resolve(options.dir);
  await checkFolder(dir);
  const tally = new Tally();
  const findings = new Findings();
  const pool = new ThreadPool(knownForms(options.known ?? []), await readIgnore(dir, tally));
  const close = (): void => void pool.close();
  signal.addEventListener('abort', close);
  try {
    const run = new ScanRun({ dir, pool, tally, findings, signal }, options.onProgress ?? (() => undefined));
    const repository = await findRepository(dir, signal);
    if (options.staged === undefined) await scanTreeOf(run, repository, new Set(options.homes));
    else await scanIndexOf(run, repository, options.staged.index);
    const history =
      options.history && options.staged === undefined ? await scanHistoryOf(run, repository) : 'not asked for';
    if (findings.left > 0) tally.break(`${findings.left} more findings were left out.`);
    return {
      findings: findings.list(),
      filesScanned: tally.files,
      blobsScanned: tally.blobs,
      skipped: tally.skipped,
      history,
      shallow: repository.kind === 'found' && repository.shallow,
      notes: tally.notes,
      complete: tally.complete,
    };
  } finally {
    signal.removeEventListener('abort', close);
    await pool.close();
  }
}

async function checkFolder(dir: string): Promise<void> {
  let code = 'ENOTDIR';
  try {
    if ((await stat(dir)).isDirectory()) return;
  } catch (error) {
    code = errnoCode(error);
  }
  throw new Error(`${JSON.stringify(dir)} is no folder that can be entered (${code})`);
}

async function readIgnore(dir: string, tally: Tally): Promise<string> {
  const read = await readFile(Buffer.from(join(dir, '.secretlintignore')));
  if (read.kind === 'read') return read.bytes.toString('utf8');
  if (read.kind === 'skipped') tally.notes.push('.secretlintignore cannot be read and was not used.');
  return '';
}

async function scanTreeOf(run: ScanRun, repository: Repository, homes: ReadonlySet<string>): Promise<void> {
  if (repository.kind === 'unusable') {
    run.tally.break(
      `The repository could not be read: ${repository.why}. Every file was looked at, as if nothing were ignored.`,
    );
  }
  try {
    await scanTree(run, repository, homes);
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    run.tally.break(`The files of the repository could not be listed: ${error.message}.`);
  }
}

async function scanIndexOf(run: ScanRun, repository: Repository, index: string | undefined): Promise<void> {
  if (repository.kind === 'none') throw new Error(`${JSON.stringify(run.dir)} is in no git repository`);
  if (repository.kind === 'unusable') throw new Error(`the repository cannot be read: ${repository.why}`);
  const top = repository.prefix.replaceAll(/[^/]+/g, '..');
  try {
    await scanIndex(run, index && resolve(run.dir, top, index));
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    run.tally.break(`What is staged could not be listed: ${error.message}.`);
  }
}

async function scanHistoryOf(run: ScanRun, repository: Repository): Promise<ScanReport['history']> {
  if (repository.kind === 'none') return 'no repository';
  if (repository.kind === 'unusable') return 'not readable';
  if (repository.shallow) {
    run.tally.notes.push('This clone is shallow: the history before its first commit was not looked at.');
  }
  try {
    await scanHistory(run, repository.prefix);
    if (run.tally.skipped.missing > 0) {
      run.tally.notes.push('This clone is partial: what it has not fetched was not looked at.');
    }
    return 'scanned';
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    run.tally.break(`The history could not be read to its end: ${error.message}.`);
    return 'not readable';
  }
}
