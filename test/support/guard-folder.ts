import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Reads process ids until whoever writes them is gone, ends the last one as far as it still runs, and clears up, small disks
 * that were mounted there included. */
const GUARD = `
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  left=100
  while [ "$left" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
    left=$((left - 1))
    sleep 0.1
  done
  [ "$left" -gt 0 ] || kill -KILL "$pid" 2>/dev/null
fi
umount -l "$1"/* 2>/dev/null
rm -rf "$1"
`;

export interface GuardedFolder {
  readonly path: string;
  /** Names the process that is to end with this one; `undefined` where it has ended already. */
  watch(pid: number | undefined): void;
  /** Removes the folder. */
  remove(): Promise<void>;
}

/**
 * A new folder that is removed, and the process named ended, even where this process is killed: by a shell of its own
 * session that waits for its end. Others may pass through the folder, but not list it.
 */
export function guardFolder(prefix: string): GuardedFolder {
  const path = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(path, 0o711);
  const guard = spawn('sh', ['-c', GUARD, 'guard', path], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  // A guard that somebody killed is no reason to fail.
  guard.stdin.on('error', () => undefined);
  const gone = once(guard, 'close');
  return {
    path,
    watch: (pid) => {
      guard.stdin.write(`${pid ?? ''}\n`);
    },
    remove: () => end(guard, gone),
  };
}

async function end(guard: ChildProcess, gone: Promise<unknown>): Promise<void> {
  guard.stdin?.end();
  await gone;
}
