import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/support/free-port.ts';
import { guardFolder } from '../test/support/guard-folder.ts';

export const SECRET = 'bench-secret-of-enough-length';

export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  readonly dir: string;
  /** `keep`: leave its folder until it is called again. */
  stop(options?: { readonly keep: boolean }): Promise<void>;
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

/** adnanh/webhook, in Go, with one hook that verifies as our route does and then runs nothing of use. */
export async function startAdnanh(): Promise<RunningServer> {
  const folder = guardFolder('receiver-bench-');
  const hooks = join(folder.path, 'hooks.json');
  const source = { source: 'header', name: 'X-Instantly-Signature' };
  const match = { type: 'payload-hmac-sha256', secret: SECRET, parameter: source };
  writeFileSync(
    hooks,
    JSON.stringify([
      {
        id: 'instantly',
        'execute-command': '/bin/true',
        'trigger-rule': { match },
        'trigger-rule-mismatch-http-response-code': 401,
      },
    ]),
  );
  const port = await freePort();
  const words = ['-hooks', hooks, '-ip', '127.0.0.1', '-port', String(port), '-urlprefix', 'webhooks'];
  const child = spawn('webhook', words, { stdio: 'ignore' });
  folder.watch(child.pid);
  const ended = once(child, 'exit').then(() => folder.watch(undefined));
  const until = Date.now() + START_LIMIT_MS;
  while (!(await answers(port))) {
    if (Date.now() > until) throw new Error('adnanh/webhook did not start');
    await pause(20);
  }
  return {
    url: `http://127.0.0.1:${port}/webhooks/instantly`,
    pid: child.pid ?? 0,
    dir: folder.path,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      await folder.remove();
    },
  };
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    () => false,
  );
}

/** Megabytes of memory that a process has now, or has had at the most. */
export function residentMb(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const kilobytes = new RegExp(`${which}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_024;
}

/** Seconds of all cores that a process has taken so far. Linux counts them in hundredths. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) / 100;
}

/** As npm start does it. */
export const RECEIVER = ['--max-semi-space-size=8', join(root, 'bin/instantly-receiver.js'), 'serve'];
export const LOAD = join(root, 'bench/load.ts');
