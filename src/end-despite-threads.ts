import process from 'node:process';

/**
 * Ends the process at once. To be called when all that matters is on the disk and a thread is inside a system call (a sync of
 * a disk that hangs, a handler that waits for a program): process.exit would wait for that thread, and a signal to itself does
 * not end process 1 of a container. Another program in its place does.
 * @param exitCode where there is no other program (Windows), the process ends as one that was killed
 */
export function endDespiteThreads(exitCode = 0): never {
  process.execve?.(process.execPath, [process.execPath, '--eval', `process.exit(${exitCode})`], {});
  // Windows has no execve.
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}
