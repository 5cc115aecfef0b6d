import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** What a command that calls git needs of the environment, without this machine's own settings of git. */
export const GIT_ENV = {
  PATH: process.env['PATH'] ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

export interface GitRepository {
  readonly dir: string;
  git(...words: readonly string[]): string;
  /** Writes files, by their path. */
  write(files: Readonly<Record<string, string | Uint8Array>>): void;
  /** Commits everything there is and gives the commit as reports abbreviate it. */
  commit(files?: Readonly<Record<string, string | Uint8Array>>): string;
}

export function makeRepository(dir = mkdtempSync(join(tmpdir(), 'receiver-git-'))): GitRepository {
  mkdirSync(dir, { recursive: true });
  const git = (...words: readonly string[]): string =>
    execFileSync('git', ['-C', dir, ...words], { env: GIT_ENV, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
  const write: GitRepository['write'] = (files) => writeFiles(dir, files);
  git('init', '--quiet', '--initial-branch', 'main');
  return {
    dir,
    git,
    write,
    commit: (files = {}) => {
      write(files);
      git('add', '--all');
      git('commit', '--quiet', '--allow-empty', '--message', 'a commit');
      return git('rev-parse', 'HEAD').slice(0, 12);
    },
  };
}

export function writeFiles(dir: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
}
