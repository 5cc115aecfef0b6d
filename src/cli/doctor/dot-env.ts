import { statSync } from 'node:fs';
import { join } from 'node:path';
import { lintDotenv } from '../../config/lint-dotenv.ts';
import { DOTENV_LIMIT, readTextFile, UnreadableFile } from '../../config/read-text-file.ts';
import type { Settings } from '../../config/settings.ts';
import { GitFailure, runGit } from '../../scan-secrets/run-git.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { splitFault } from './split-fault.ts';

const WORTHLESS = 'make every secret in it worthless by a new one ("secrets rotate", "secrets new")';

/** How the warning of its mode begins. */
const HOLDS_SECRETS = '.env holds secrets';

/** What this check says by itself, the settings warn of too. */
export function isAboutDotEnv(warning: string): boolean {
  return warning.startsWith('.env, line ') || warning.startsWith(HOLDS_SECRETS);
}

/** That the file of secrets says what it seems to, is for this user alone, and was never given to git. */
export const dotEnvCheck: Check = {
  name: '.env',
  needs: [],
  run: async ({ cwd, examined: { settings } }, signal) => {
    const file = statSync(join(cwd, '.env'), { throwIfNoEntry: false });
    const findings = [...judgeLines(cwd), ...judgeMode(file?.mode, settings), ...(await judgeGit(cwd, signal))];
    if (findings.length > 0) return findings;
    return [ok(file === undefined ? 'there is none' : 'only this user can read it, and git does not know it')];
  },
};

function judgeLines(cwd: string): Finding[] {
  try {
    return lintDotenv(readTextFile(join(cwd, '.env'), DOTENV_LIMIT)).map((line) => {
      const { found, fix } = splitFault(line.replace('.env, ', ''), 'correct the line');
      return warn(found, fix);
    });
  } catch (error) {
    // The settings name a file that cannot be read.
    if (error instanceof UnreadableFile) return [];
    throw error;
  }
}

function judgeMode(mode: number | undefined, settings: Settings | undefined): Finding[] {
  // Windows has no such modes; what stat says there means nothing.
  if (mode === undefined || process.platform === 'win32' || (mode & 0o077) === 0) return [];
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  const isRefused =
    settings?.production === true && settings.warnings.some((warning) => warning.startsWith(HOLDS_SECRETS));
  return [(isRefused ? fail : warn)(`other users of this machine may open it (mode ${shown})`, 'chmod 600 .env')];
}

/** Also of one that is not there any more: what was committed is in every clone. */
async function judgeGit(cwd: string, signal: AbortSignal): Promise<Finding[]> {
  try {
    const tracked = await runGit(cwd, ['ls-files', '-z', '--', '.env'], { signal });
    const committed = await runGit(cwd, ['rev-list', '--all', '--max-count=1', '--', '.env'], { signal });
    const findings: Finding[] = [];
    if (tracked !== '') {
      findings.push(
        fail(
          'git tracks it: whoever gets the repository gets it',
          `git rm --cached .env; add it to .gitignore; ${WORTHLESS}`,
        ),
      );
    }
    if (committed !== '') {
      findings.push(
        fail(
          `it is in the history of git (commit ${committed.slice(0, 12)})`,
          `${WORTHLESS}; taking it out of the history helps only where nobody has a copy`,
        ),
      );
    }
    return findings;
  } catch (error) {
    if (!(error instanceof GitFailure)) throw error;
    if (error.fault === 'no repository' || error.fault === 'absent') return [];
    return [warn(`whether git knows it is not known: ${error.message}`, 'run this as the owner of the repository')];
  }
}
