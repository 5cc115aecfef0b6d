import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { guardFolder } from '../test/support/guard-folder.ts';

export const SECRET = 'bench-secret-of-enough-length';

export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  readonly dir: string;
  /** `keep`: leave its folder, for `remove` later. */
  stop(options?: { readonly keep: boolean }): Promise<void>;
  remove(): Promise<void>;
}

const START_LIMIT_MS = 10_000;
/** Milliseconds in which a server ends by itself. */
const STOP_LIMIT_MS = 30_000;
const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts a server in a process and a folder of its own, its log in a file as in production behind a collector. Both go
 * with this process, however it ends. */
export async function startServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const folder = guardFolder('receiver-bench-');
  const log = join(folder.path, 'stdout.log');
  const descriptor = openSync(log, 'w');
  const child = spawn(process.execPath, [...args], {
    cwd: folder.path,
    env: {
      PATH: process.env['PATH'] ?? '',
      INSTANTLY_SECRET: SECRET,
      HOST: '127.0.0.1',
      PORT: '0',
      NODE_ENV: 'production',
      ...env,
    },
    stdio: ['ignore', descriptor, 'inherit'],
  });
  folder.watch(child.pid);
  const ended = once(child, 'exit').then(() => folder.watch(undefined));
  closeSync(descriptor);
  const port = await readPort(child, log).catch(async (error: unknown) => {
    child.kill('SIGKILL');
    await ended;
    await folder.remove();
    throw error;
  });
  return {
    url: `http://127.0.0.1:${port}/webhooks/instantly`,
    pid: child.pid ?? 0,
    dir: folder.path,
    async stop({ keep } = { keep: false }) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(timer);
      if (!keep) await folder.remove();
    },
    remove: () => folder.remove(),
  };
}

async function readPort(child: ChildProcess, log: string): Promise<number> {
  const until = Date.now() + START_LIMIT_MS;
  while (Date.now() < until && child.exitCode === null && child.signalCode === null) {
    const port = /"port":(\d+)/.exec(readFileSync(log, 'utf8'))?.[1];
    if (port !== undefined) return Number(port);
    await pause(20);
  }
  throw new Error(`the server did not start:\n${readFileSync(log, 'utf8').slice(-2_000)}`);
}

/** Megabytes of memory that a process has now. */
export function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_024;
}

export const BARE_ROUTE = [join(root, 'bench/bare-route.ts')];
export const RECEIVER = [join(root, 'bin/instantly-receiver.js'), 'serve'];
export const LOAD = join(root, 'bench/load.ts');
