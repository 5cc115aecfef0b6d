import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { errnoCode } from '../config/read-text-file.ts';
import { interruptible } from './interrupt.ts';

/**
 * Makes a file for this user alone and has it written. What cannot be written whole is not left behind.
 *
 * @throws Error where the file exists or cannot be written; Interrupted at SIGINT and SIGTERM
 */
export async function fillNewFile<T>(path: string, write: (file: Writable) => Promise<T>): Promise<T> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true });
  try {
    await once(file, 'open');
  } catch (error) {
    const code = errnoCode(error);
    throw new Error(
      code === 'EEXIST' ? `${path} exists already and is left as it is` : `${path} cannot be written (${code})`,
    );
  }
  const stop = interruptible();
  let failure: Error | undefined;
  file.on('error', (error) => {
    failure = error;
  });
  stop.signal.addEventListener('abort', () => file.destroy(stop.signal.reason));
  try {
    const result = await write(file);
    const closed = once(file, 'close');
    file.end();
    await closed;
    if (failure !== undefined) throw failure;
    return result;
  } catch (error) {
    file.destroy();
    rmSync(path, { force: true });
    if (stop.signal.aborted) throw stop.signal.reason;
    throw failure === undefined ? error : new Error(`${path} cannot be written whole (${errnoCode(failure)})`);
  } finally {
    stop.release();
  }
}
