import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GitFailure, openGit, runGit } from './run-git.ts';

export type Repository =
  | { readonly kind: 'none' }
  /** There is one, and git does not read it. */
  | { readonly kind: 'unusable'; readonly why: string }
  | {
      readonly kind: 'found';
      /** The folder's place in it, empty or with a slash at its end. */
      readonly prefix: string;
      readonly shallow: boolean;
    };

const REASONS: Partial<Record<GitFailure['fault'], string>> = {
  absent: 'git is not installed',
  'another owner':
    'git refuses a repository of another user; run this as its owner, or allow it with: git config --global --add safe.directory FOLDER',
};

/**
 * The repository whose work tree holds a folder.
 *
 * @param dir absolute path
 */
export async function findRepository(dir: string, signal: AbortSignal): Promise<Repository> {
  try {
    const facts = await runGit(dir, ['rev-parse', '--is-inside-work-tree', '--is-shallow-repository'], { signal });
    const [inside, shallow] = facts.split('\n');
    if (inside !== 'true') return { kind: 'none' };
    // By itself, because it may hold line breaks.
    const prefix = (await runGit(dir, ['rev-parse', '--show-prefix'], { signal })).replace(/\n$/, '');
    if (prefix !== '' && (await isIgnored(dir, signal)) && !(await isTracked(dir, signal))) return { kind: 'none' };
    return { kind: 'found', prefix, shallow: shallow === 'true' };
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    if (!(await hasGitFolder(dir))) return { kind: 'none' };
    return { kind: 'unusable', why: REASONS[error.fault] ?? error.message };
  }
}

/** Whether the repository wants to know nothing of the folder, as one of a whole home folder may. */
async function isIgnored(dir: string, signal: AbortSignal): Promise<boolean> {
  try {
    await runGit(dir, ['check-ignore', '--quiet', '.'], { signal });
    return true;
  } catch (error) {
    if (error instanceof GitFailure) return false;
    throw error;
  }
}

async function isTracked(dir: string, signal: AbortSignal): Promise<boolean> {
  for await (const _ of openGit(dir, ['ls-files', '-z'], { signal })) return true;
  return false;
}

async function hasGitFolder(dir: string): Promise<boolean> {
  if (await isThere(join(dir, '.git'))) return true;
  const parent = dirname(dir);
  return parent === dir ? false : hasGitFolder(parent);
}

export function isThere(path: string | Buffer): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
