import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AUDIT_KEY } from './audit-key.ts';
import { drawFlameGraph } from './draw-flame-graph.ts';
import { round } from './figures.ts';
import { type CpuProfile, selfTimes, toTree } from './read-profile.ts';
import { runLoad } from './run-load.ts';
import { RECEIVER, SECRET, startServer } from './servers.ts';

const WARM_UP = 10_000;
const LEADS = 5_000;
const TOP = 40;

/** Where the receiver's time goes under load: a .cpuprofile for each thread (a browser's developer tools open it), a flame graph
 * beside it, and the functions that take the most themselves. */
export async function profile(amount: number, connections: number, folder: string): Promise<void> {
  const dir = resolve(folder, 'profile');
  mkdirSync(dir, { recursive: true });
  const before = new Set(readdirSync(dir));
  const server = await startServer(['--cpu-prof', `--cpu-prof-dir=${dir}`, ...RECEIVER], { AUDIT_KEY });
  try {
    const order = { url: server.url, secret: SECRET, connections, leads: LEADS };
    await runLoad({ ...order, amount: WARM_UP });
    const { rate } = await runLoad({ ...order, amount });
    process.stdout.write(`${round(rate)} requests/s under the profiler, which costs some of them\n`);
  } finally {
    // The profiles are written at its end.
    await server.stop();
  }
  const made = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile') && !before.has(name));
  for (const name of made.toSorted()) report(join(dir, name));
}

function report(file: string): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const svg = file.replace(/\.cpuprofile$/, '.svg');
  writeFileSync(svg, drawFlameGraph(toTree(profile)));
  const times = selfTimes(profile);
  const busy = times.reduce((sum, { ms, isIdle }) => sum + (isIdle ? 0 : ms), 0);
  process.stdout.write(`\n${file}\n${svg}\n${round(busy)} ms of work\n`);
  const rows = times.filter(({ isIdle }) => !isIdle).slice(0, TOP);
  console.table(
    rows.map(({ name, ms }) => ({ function: name, 'self ms': round(ms), share: `${round((100 * ms) / busy, 1)} %` })),
  );
}
