import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Finding as Found, ScanReport } from '../../scan-secrets/report.ts';
import { count } from '../print.ts';
import { type Check, type Finding, fail, ok, Skipped, warn } from './check.ts';

const LIMIT_MS = 20_000;
/** Lines; the command says the rest. */
const MOST = 10;
const FIX = 'make it worthless by a new one first, then take it out; "secrets scan" says how';

/** Whether a secret lies where it can be given away. */
export const scanCheck: Check = {
  name: 'secrets scan',
  needs: [],
  run: async ({ cwd }, signal) => {
    const answer = await scanElsewhere(cwd, signal);
    if (answer === undefined) {
      throw new Skipped(`it takes longer than ${LIMIT_MS / 1_000} s here`, 'run "secrets scan", which has the time');
    }
    if ('failed' in answer) throw new Error(answer.failed);
    return report(answer.report);
  },
};

type Answer = { readonly report: ScanReport } | { readonly failed: string };

/**
 * In a process of its own: the scan reads the store's file too, and where a process closes a file, the system takes from it every
 * lock that it holds there, those of the SQLite that has it open meanwhile among them.
 *
 * @returns `undefined` where it takes too long
 */
async function scanElsewhere(cwd: string, signal: AbortSignal): Promise<Answer | undefined> {
  const child = fork(new URL('./scan-process.ts', import.meta.url), {
    cwd,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const limit = AbortSignal.timeout(LIMIT_MS);
  const ended = once(child, 'exit').then((): Answer => ({ failed: 'the scan has ended without a word' }));
  try {
    const message = once(child, 'message', { signal: AbortSignal.any([signal, limit]) });
    // What the other process sends is what scan-process.ts says.
    return await Promise.race([message.then(([answer]) => answer as Answer), ended]);
  } catch (error) {
    if (signal.aborted || !limit.aborted) throw error;
    return undefined;
  } finally {
    child.kill('SIGTERM');
  }
}

function report({ findings: found, filesScanned, blobsScanned, history, complete }: ScanReport): Finding[] {
  const places = [
    ...Map.groupBy(found, ({ what, path, where, commit }) => JSON.stringify([what, path, where, commit])),
  ];
  const findings = places.slice(0, MOST).map(([, group]) => fail(describe(group), FIX));
  const more = places.length - findings.length;
  if (more > 0) findings.push(fail(count(more, 'more finding'), '"secrets scan" lists all'));
  const versions = history === 'scanned' ? ` and ${count(blobsScanned, 'version')} of files in the history` : '';
  const looked = `${count(filesScanned, 'file')}${versions}`;
  if (!complete) findings.push(warn(`not all of ${looked} could be looked at`, '"secrets scan" says why'));
  return findings.length > 0 ? findings : [ok(`none found in ${looked}`)];
}

/** Of one kind, in one file. */
function describe(group: readonly Found[]): string {
  const [first] = group;
  if (first === undefined) return '';
  const lines = [...new Set(group.flatMap(({ line }) => line ?? []))].toSorted((a, b) => a - b);
  const at = lines.length === 0 ? first.path : `${first.path}:${lines.join(',')}`;
  const history = first.where === 'history' ? ` of the history (commit ${first.commit ?? 'unknown'})` : '';
  return `${first.what} in ${at}${history}`;
}
