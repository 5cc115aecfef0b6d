import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const START_MS = 120_000;
/** Many times what the slowest contender takes for one. */
const MOST_MS_A_REQUEST = 20;

/**
 * Runs a script that sends so many requests, so many a second or as fast as it can, in a process of its own, and resolves with
 * what it printed.
 * @throws Error where it ends badly or is not done in time
 */
export async function runGenerator(
  script: string,
  args: readonly string[],
  requests: number,
  pace = Number.POSITIVE_INFINITY,
): Promise<string> {
  const limitMs = START_MS + requests * (MOST_MS_A_REQUEST + 1_000 / pace);
  const signal = AbortSignal.timeout(limitMs);
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], {
      signal,
      killSignal: 'SIGKILL',
    });
    process.stderr.write(stderr);
    return stdout;
  } catch (cause) {
    const how = signal.aborted ? `was not done within ${limitMs / 1_000} s` : 'failed';
    throw new Error(`the generator of load ${how}: ${script}`, { cause });
  }
}
