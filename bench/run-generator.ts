import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const START_MS = 120_000;
/** Many times what the slowest contender takes for one. */
const MOST_MS_A_REQUEST = 20;
/** The longest that a timer can wait. */
const MOST_MS = 2 ** 31 - 1;

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
  const timeout = Math.min(Math.ceil(START_MS + requests * (MOST_MS_A_REQUEST + 1_000 / pace)), MOST_MS);
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], {
      timeout,
      killSignal: 'SIGKILL',
    });
    process.stderr.write(stderr);
    return stdout;
  } catch (cause) {
    const isLate = cause instanceof Error && 'killed' in cause && cause.killed === true;
    const how = isLate ? `was not done within ${timeout / 1_000} s` : 'failed';
    throw new Error(`the generator of load ${how}: ${script}`, { cause });
  }
}
