import { statfs } from 'node:fs/promises';

const LOOK_MS = 5_000;

export interface DiskWatch {
  /** Looks now rather than at the next turn. */
  look(): Promise<void>;
  stop(): void;
}

/**
 * Tells when the free space of the folder falls below the floor and when it is back above it. A folder that cannot be
 * looked at counts as having space: the commits themselves tell better.
 */
export function watchDisk(
  folder: string,
  minFreeBytes: number,
  onChange: (isLow: boolean, freeBytes: number) => void,
): DiskWatch {
  let wasLow = false;
  const look = async (): Promise<void> => {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const isLow = free < minFreeBytes;
    if (isLow !== wasLow) onChange(isLow, free);
    wasLow = isLow;
  };
  const quietly = (): Promise<void> => look().catch(() => undefined);
  void quietly();
  const timer = setInterval(quietly, LOOK_MS).unref();
  return { look: quietly, stop: () => clearInterval(timer) };
}
