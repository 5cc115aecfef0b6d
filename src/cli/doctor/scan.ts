import type { Finding as Found, ScanReport } from '../../scan-secrets/report.ts';
import { count } from '../print.ts';
import { secretHomes, secretsInUse } from '../secrets-in-use.ts';
import { type Check, type Finding, fail, ok, Skipped, warn } from './check.ts';

const LIMIT_MS = 20_000;
/** Lines; the command says the rest. */
const MOST = 10;
const FIX = 'make it worthless by a new one first, then take it out; "secrets scan" says how';

/** Whether a secret lies where it can be given away. */
export const scanCheck: Check = {
  name: 'secrets scan',
  needs: [],
  run: async ({ cwd, examined: { settings } }, signal) => {
    const limit = AbortSignal.timeout(LIMIT_MS);
    const inUse = settings === undefined ? {} : { known: secretsInUse(settings), homes: secretHomes(settings) };
    // Here and not above: loading its rules takes longer than all other checks.
    const { scanDirectory } = await import('../../scan-secrets/scan-directory.ts');
    try {
      const ended = AbortSignal.any([signal, limit]);
      return report(await scanDirectory({ dir: cwd, history: true, signal: ended, ...inUse }));
    } catch (error) {
      if (signal.aborted || !limit.aborted) throw error;
      throw new Skipped(`it takes longer than ${LIMIT_MS / 1_000} s here`, 'run "secrets scan", which has the time');
    }
  },
};

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
