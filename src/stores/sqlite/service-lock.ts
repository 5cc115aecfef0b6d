import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SettingsError } from '../../errors/problem.ts';
import { isSqliteError } from './sqlite-error.ts';
import type { FileSetting } from './thread-protocol.ts';

/** Milliseconds: a receiver that is stopping gives its handlers 8 s and ends within 10. */
const WAIT_MS = 15_000;
const RETRY_MS = 50;

interface WaitOptions {
  readonly waitMs?: number;
  /** Told once, as soon as it has to wait; with the process that holds the file, where the system says. */
  readonly onWait?: (holder: number | undefined) => void;
}

export interface ServiceLock {
  release(): void;
}

/**
 * Holds the file for one serving process; commands need no lock. It is a transaction that stays open in a file beside
 * it, so the kernel lets go of it however the process ends, and no stale lock has to be told from a live one.
 *
 * @param options its wait is 15,000 milliseconds by default
 * @throws SettingsError when another receiver still serves from the file then
 */
export function holdServiceLock(file: string, setting: FileSetting, options: WaitOptions = {}): ServiceLock {
  const { waitMs = WAIT_MS, onWait } = options;
  // One lock for one file, whichever link leads to it.
  const path = `${existsSync(file) ? realpathSync(file) : file}.lock`;
  const lock = openLock(path, file, setting);
  const until = performance.now() + waitMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let isWaiting = false; ; isWaiting = true) {
    try {
      lock.exec('BEGIN EXCLUSIVE');
      return { release: () => lock.close() };
    } catch (error) {
      if (isSqliteError(error, 'BUSY') && performance.now() > until) {
        const holder = nameHolder(findHolder(path));
        lock.close();
        throw new SettingsError([
          `${setting}: another receiver${holder} is serving from ${file}; stop it, or give this one a file of its own`,
        ]);
      }
      if (!isSqliteError(error, 'BUSY')) {
        lock.close();
        throw lockFault(path, file, setting, error);
      }
      if (!isWaiting) onWait?.(findHolder(path));
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}

/** ` (process 123)` */
export function nameHolder(holder: number | undefined): string {
  return holder === undefined ? '' : ` (process ${holder})`;
}

/** Linux lists all locks, by device and inode. A process of another container has no number here. */
function findHolder(path: string): number | undefined {
  try {
    const { dev, ino } = statSync(path);
    const hex = (part: number): string => part.toString(16).padStart(2, '0');
    const place = `${hex((dev >> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >> 12) & 0xfff00))}:${ino}`;
    const line = readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .find((one) => one.includes(` ${place} `) && one.includes(' WRITE '));
    const holder = Number(/ WRITE +(\d+) /.exec(line ?? '')?.[1]);
    return holder > 0 ? holder : undefined;
  } catch {
    // No such list on this system.
    return undefined;
  }
}

function openLock(path: string, file: string, setting: FileSetting): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    // In a file that may only be read, SQLite begins the transaction and locks nothing.
    accessSync(path, constants.W_OK);
    return lock;
  } catch (error) {
    lock?.close();
    // Where the folder is missing or may not be written, the file itself is no better off.
    if (!existsSync(path)) throw error;
    throw lockFault(path, file, setting, error);
  }
}

function lockFault(path: string, file: string, setting: FileSetting, error: unknown): SettingsError {
  const why = error instanceof Error ? error.message : String(error);
  return new SettingsError([
    `${setting}: cannot use ${path}, which keeps a second receiver from ${file} (${why}); remove it while no receiver runs, or give it to this receiver's user: it holds no data`,
  ]);
}

/**
 * The same for a command that is about to bring the file up to this release. Under a receiver of an earlier one that would lock
 * the file, perhaps for longer than Instantly tries again.
 */
export function holdForUpgrade(file: string, setting: FileSetting): ServiceLock {
  try {
    return holdServiceLock(file, setting, { waitMs: 0 });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError([
      `${setting}: ${file} is of an earlier release and is in use; restart the receiver that has it open with this release, which brings the file up to it, or wait where that is under way`,
    ]);
  }
}
