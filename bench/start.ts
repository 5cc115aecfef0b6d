import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { guardFolder } from '../test/support/guard-folder.ts';
import { AUDIT_KEY } from './audit-key.ts';
import { BARE } from './contenders.ts';
import { median, round } from './figures.ts';
import { makeSqliteFile } from './growth/grow-sqlite.ts';
import { runLoad } from './run-load.ts';
import { RECEIVER, residentMb, SECRET, startServer } from './servers.ts';

export interface StartResult {
  readonly what: string;
  /** Milliseconds from starting the process to /readyz answering 200; of a bare start to its end. */
  readonly ms: number;
  /** Megabytes resident, and of those what no other process could share. */
  readonly idleMb?: number;
  readonly privateMb?: number;
  readonly loadedMb?: number;
}

const IDLE_MS = 5_000;
const LOADED_REQUESTS = 30_000;

/** How long a start takes with so many stored events, and how much memory it comes to. */
export async function measureStart(rounds: number, events: number): Promise<readonly StartResult[]> {
  const folder = guardFolder('receiver-bench-start-');
  const results: StartResult[] = [];
  try {
    const full = join(folder.path, 'full.db');
    await makeSqliteFile(full, events);
    const cache = { XDG_CACHE_HOME: join(folder.path, 'cache') };
    for (let n = 0; n <= rounds; n += 1) {
      // The first fills the cache of compiled code.
      const nth = n === 0 ? 'the very first start' : 'later starts';
      results.push(await startReceiver(`${nth}, ${events} events`, { ...cache, DATABASE_URL: `sqlite:${full}` }));
      if (n > 0) results.push(await startReceiver(`${nth}, no event`, cache));
      results.push(await startBare());
      results.push(startNode());
    }
    results.push(await loadReceiver(cache));
  } finally {
    await folder.remove();
  }
  report(results);
  return results;
}

async function startReceiver(what: string, env: Readonly<Record<string, string>>): Promise<StartResult> {
  const started = performance.now();
  const server = await startServer(RECEIVER, { AUDIT_KEY, ...env });
  try {
    const ready = new URL('/readyz', server.url);
    while ((await fetch(ready, { signal: AbortSignal.timeout(10_000) })).status !== 200) await pause(5);
    const ms = performance.now() - started;
    await pause(IDLE_MS);
    return { what, ms, idleMb: residentMb(server.pid), privateMb: privateMb(server.pid) };
  } finally {
    await server.stop();
  }
}

async function startBare(): Promise<StartResult> {
  const started = performance.now();
  const server = await BARE.start();
  const ms = performance.now() - started;
  await server.stop();
  return { what: BARE.name, ms };
}

function startNode(): StartResult {
  const started = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return { what: 'node -e 0', ms: performance.now() - started };
}

async function loadReceiver(env: Readonly<Record<string, string>>): Promise<StartResult> {
  const server = await startServer(RECEIVER, { AUDIT_KEY, ...env });
  try {
    const { ok } = await runLoad({
      url: server.url,
      secret: SECRET,
      connections: 64,
      leads: 5_000,
      amount: LOADED_REQUESTS,
    });
    if (ok !== LOADED_REQUESTS) throw new Error('not all events were answered 200');
    const loadedMb = residentMb(server.pid, 'VmHWM');
    return { what: 'at full load', ms: Number.NaN, loadedMb, privateMb: privateMb(server.pid) };
  } finally {
    await server.stop();
  }
}

function privateMb(pid: number): number {
  const kilobytes = /^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_024;
}

function report(results: readonly StartResult[]): void {
  process.stdout.write('\nstarts and memory\n');
  const middle = (of: readonly StartResult[], read: (one: StartResult) => number | undefined): string => {
    const values = of.map(read).filter((value) => value !== undefined && !Number.isNaN(value));
    return values.length === 0 ? '' : round(median(values as number[]));
  };
  console.table(
    Object.fromEntries(
      [...Map.groupBy(results, ({ what }) => what)].map(([what, of]) => [
        what,
        {
          'ready after ms': middle(of, ({ ms }) => ms),
          'resident MB': middle(of, ({ idleMb, loadedMb }) => idleMb ?? loadedMb),
          'of it private': middle(of, (one) => one.privateMb),
        },
      ]),
    ),
  );
}
