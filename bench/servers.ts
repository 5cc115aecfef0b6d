import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const SECRET = 'bench-secret-of-enough-length';

export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  readonly dir: string;
  /** `keep`: leave its folder, for `remove` later. */
  stop(options?: { readonly keep: boolean }): Promise<void>;
  remove(): void;
}

const START_LIMIT_MS = 10_000;
const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts a server in a process and a folder of its own, its log in a file as in production behind a collector. */
export async function startServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-bench-'));
  const log = join(dir, 'stdout.log');
  const descriptor = openSync(log, 'w');
  const child = spawn(process.execPath, [...args], {
    cwd: dir,
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
  closeSync(descriptor);
  const port = await readPort(child, log).catch((error: unknown) => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
    throw error;
  });
  return {
    url: `http://127.0.0.1:${port}/webhooks/instantly`,
    pid: child.pid ?? 0,
    dir,
    async stop({ keep } = { keep: false }) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      if (!keep) rmSync(dir, { recursive: true, force: true });
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

async function readPort(child: ChildProcess, log: string): Promise<number> {
  const until = Date.now() + START_LIMIT_MS;
  while (Date.now() < until && child.exitCode === null) {
    const port = /"port":(\d+)/.exec(readFileSync(log, 'utf8'))?.[1];
    if (port !== undefined) return Number(port);
    await pause(20);
  }
  throw new Error('the server did not start');
}

export const BARE_ROUTE = [join(root, 'bench/bare-route.ts')];
export const RECEIVER = [join(root, 'bin/instantly-receiver.js'), 'serve'];
export const LOAD = join(root, 'bench/load.ts');
