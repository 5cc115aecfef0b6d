import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Milliseconds to wait for a lock. */
const BUSY_TIMEOUT_MS = 1_000;

/**
 * Events that a spill on this machine holds, whoever has it open; `undefined`: there is none.
 *
 * @throws Error where it cannot be read
 */
export function countSpilled(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const spill = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    return Number(spill.prepare('SELECT count(*) AS n FROM events').get()?.['n'] ?? 0);
  } finally {
    spill.close();
  }
}
