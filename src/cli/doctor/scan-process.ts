import { examineSettings } from '../../config/examine-settings.ts';
import { scanDirectory } from '../../scan-secrets/scan-directory.ts';
import { secretHomes, secretsInUse } from '../secrets-in-use.ts';

// What `doctor` runs by itself to scan a folder, see scan.ts; it sends one report, or says nothing and ends.

/** Milliseconds to end what the scan has begun. */
const GRACE_MS = 1_000;

const stop = new AbortController();
const end = (): void => {
  stop.abort(new Error('ended by the doctor'));
  setTimeout(() => process.exit(1), GRACE_MS).unref();
};
process.once('SIGTERM', end);
process.once('disconnect', end);

const cwd = process.cwd();
const { settings } = examineSettings(process.env, cwd);
const inUse = settings === undefined ? {} : { known: secretsInUse(settings), homes: secretHomes(settings) };
try {
  const report = await scanDirectory({ dir: cwd, history: true, signal: stop.signal, ...inUse });
  process.removeListener('disconnect', end);
  process.send?.({ report }, () => process.disconnect?.());
} catch (error) {
  if (!stop.signal.aborted) process.send?.({ failed: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.disconnect?.();
}
