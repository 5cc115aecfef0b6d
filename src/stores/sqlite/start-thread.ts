import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SettingsError } from '../../errors/problem.ts';
import type { FromThread, ThreadError, ThreadOptions } from './thread-protocol.ts';

/** Milliseconds: a thread that is starting may wait for another receiver to stop. */
const START_LIMIT_MS = 20_000;
/** Milliseconds for a file that an earlier release has made, and that may be large. */
const MIGRATE_LIMIT_MS = 600_000;

export function createWriterThread(options: ThreadOptions): Worker {
  return new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData: options, name: 'sqlite-writer' });
}

/** Resolves once it has the file open.
 * @throws SettingsError where it cannot */
export async function startWriterThread(options: ThreadOptions): Promise<Worker> {
  const worker = createWriterThread(options);
  const fault = await firstFault(worker);
  if (fault === undefined) return worker;
  await worker.terminate();
  throw new SettingsError(
    fault.faults ?? [
      `${options.setting ?? 'DATABASE_URL'}: cannot open ${options.file}: ${fault.message}; check that its folder exists and can be written`,
    ],
  );
}

/** `undefined`: the thread is ready. */
async function firstFault(worker: Worker): Promise<ThreadError | undefined> {
  const next = async (limitMs: number): Promise<FromThread> => {
    // The message, or the error that comes instead of one.
    const [message] = await once(worker, 'message', { signal: AbortSignal.timeout(limitMs) });
    return message as FromThread;
  };
  try {
    const first = await next(START_LIMIT_MS);
    const last = 'migrating' in first ? await next(MIGRATE_LIMIT_MS) : first;
    return 'failed' in last ? last.failed : undefined;
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}
