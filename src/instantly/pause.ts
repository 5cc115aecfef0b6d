import { setTimeout as wait } from 'node:timers/promises';

/** Rejects with what the signal was aborted with: the timer's own error would hide who ended it, and why. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
