import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SettingsError } from '../../errors/problem.ts';
import { isSqliteError } from './sqlite-error.ts';
import type { FileSetting } from './thread-protocol.ts';

/** Milliseconds: a receiver that is stopping gives its handlers 8 s and ends within 10. */
const WAIT_MS = 15_000;
const RETRY_MS = 50;

export interface ServiceLock {
  release(): void;
}

/**
 * Holds the file for one serving process; commands need no lock. It is a transaction that stays open in a file beside
 * it, so the kernel lets go of it however the process ends, and no stale lock has to be told from a live one.
 *
 * @param waitMs milliseconds. Default: 15,000
 * @throws SettingsError when another receiver still serves from the file then
 */
export function holdServiceLock(file: string, setting: FileSetting, waitMs = WAIT_MS): ServiceLock {
  // One lock for one file, whichever link leads to it.
  const path = `${existsSync(file) ? realpathSync(file) : file}.lock`;
  const lock = new DatabaseSync(path, { timeout: 0 });
  // In a file that may only be read, SQLite begins the transaction and locks nothing.
  accessSync(path, constants.W_OK);
  const until = Date.now() + waitMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      lock.exec('BEGIN EXCLUSIVE');
      return { release: () => lock.close() };
    } catch (error) {
      if (Date.now() > until) {
        lock.close();
        throw new SettingsError([
          `${setting}: another receiver is serving from ${file}; stop it, or give this one a file of its own`,
        ]);
      }
      if (!isSqliteError(error, 'BUSY')) throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}

/**
 * The same for a command that is about to bring the file up to this release. Under a receiver of an earlier one that would lock
 * the file, perhaps for longer than Instantly tries again.
 */
export function holdForUpgrade(file: string, setting: FileSetting): ServiceLock {
  try {
    return holdServiceLock(file, setting, 0);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError([
      `${setting}: ${file} is of an earlier release and is in use; restart the receiver that has it open with this release, which brings the file up to it, or wait where that is under way`,
    ]);
  }
}
