import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SettingsError } from '../../errors/problem.ts';
import type { FromThread, ThreadError, ThreadOptions } from './thread-protocol.ts';

/** Milliseconds: a thread that is starting may wait for another receiver to stop. */
const START_LIMIT_MS = 20_000;
/** Milliseconds for a file that an earlier release has made, and that may be large. */
const UPGRADE_LIMIT_MS = 600_000;
const TERMINATE_LIMIT_MS = 500;

/** What a thread that is starting may have to say before it is ready. */
export interface StartListener {
  /** It begins to bring the file of an earlier release up to this one. */
  readonly onUpgrade?: () => void;
  /** Another receiver still serves from the file. `holder`: its process, as a text to be put behind that, or empty. */
  readonly onWait?: (holder: string) => void;
}

export function createWriterThread(options: ThreadOptions): Worker {
  return new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData: options, name: 'sqlite-writer' });
}

/** Resolves once it has the file open.
 * @throws SettingsError where it cannot */
export async function startWriterThread(options: ThreadOptions, listener: StartListener = {}): Promise<Worker> {
  const worker = createWriterThread(options);
  const fault = await firstFault(worker, listener);
  if (fault === undefined) return worker;
  // One that is inside a system call cannot be ended; the fault is told all the same.
  await Promise.race([worker.terminate(), pause(TERMINATE_LIMIT_MS, undefined, { ref: false })]);
  throw new SettingsError(
    fault.faults ?? [
      `${options.setting ?? 'DATABASE_URL'}: cannot open ${options.file}: ${fault.message}; check that its folder exists and can be written`,
    ],
  );
}

/**
 * `undefined`: the thread is ready. One set of listeners from first to last: while this thread is busy loading, all that the
 * other one says piles up, and is then handed out at once, its end included.
 */
function firstFault(worker: Worker, { onUpgrade, onWait }: StartListener): Promise<ThreadError | undefined> {
  return new Promise((resolve) => {
    const end = (fault?: ThreadError): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      resolve(fault);
    };
    const late = (): void => end({ message: 'it took too long' });
    let timer = setTimeout(late, START_LIMIT_MS);
    const onMessage = (message: FromThread): void => {
      if ('upgrading' in message) {
        clearTimeout(timer);
        timer = setTimeout(late, UPGRADE_LIMIT_MS);
        onUpgrade?.();
      } else if ('waiting' in message) onWait?.(message.waiting);
      else end('failed' in message ? message.failed : undefined);
    };
    const onError = (error: Error): void => end({ message: error.message });
    const onExit = (): void => end({ message: 'its thread ended' });
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}

/** Gives whether it resolved in time. */
export async function within(ending: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const time = new AbortController();
  const ended = ending.then(() => true);
  const over = pause(milliseconds, false, { signal: time.signal }).catch(() => false);
  return Promise.race([ended, over]).finally(() => time.abort());
}
