/**
 * Counts what an accepted request costs in objects, which repeats where times do not: the bytes that the thread which answers
 * allocates for it, and those of them that outlive the quick garbage collection. The second is little unless something keeps
 * what is over, as a Map does through which every request passes; it then costs more than all else (docs/performance.md).
 *
 *   node scripts/guard-allocations.ts
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AUDIT_KEY } from '../bench/audit-key.ts';
import { runLoad } from '../bench/run-load.ts';
import { RECEIVER, type RunningServer, SECRET, startServer } from '../bench/servers.ts';
import { guardFolder } from '../test/support/guard-folder.ts';

const MOST_ALLOCATED = 53_500;
const MOST_KEPT = 2_000;

const WARM_UP = 10_000;
const AMOUNT = 24_000;
const TELL_LIMIT_MS = 10_000;
const PRELOAD = join(import.meta.dirname, 'allocations/tell-heap.mjs');

const folder = guardFolder('receiver-heap-');
const file = join(folder.path, 'heap.json');
const flags = ['--trace-gc', '--trace-gc-nvp', '--import', PRELOAD];
const server = await startServer([...flags, ...RECEIVER], { AUDIT_KEY, HEAP_FILE: file });
try {
  await accept(server, WARM_UP);
  const before = await readAllocated(server, 1);
  const traced = readLog(server).length;
  await accept(server, AMOUNT);
  const allocated = (await readAllocated(server, 2)) - before;
  judge('allocated', allocated / AMOUNT, MOST_ALLOCATED);
  judge('kept', readPromoted(readLog(server).slice(traced)) / AMOUNT, MOST_KEPT);
} finally {
  await server.stop();
  await folder.remove();
}

async function accept({ url }: RunningServer, amount: number): Promise<void> {
  const { ok } = await runLoad({ url, secret: SECRET, connections: 64, leads: 5_000, amount });
  if (ok !== amount) throw new Error(`${amount - ok} of ${amount} were not accepted`);
}

function judge(what: string, bytes: number, most: number): void {
  process.stdout.write(`${Math.round(bytes)} bytes ${what} for each accepted request (at most ${most})\n`);
  if (!(bytes > 0 && bytes <= most)) process.exitCode = 1;
}

function readLog({ dir }: RunningServer): string {
  return readFileSync(join(dir, 'stdout.log'), 'utf8');
}

/** Bytes that quick collections have moved to the old objects, in the thread that allocates the most: the one that answers. */
function readPromoted(trace: string): number {
  const sums = new Map<string, { allocated: number; promoted: number }>();
  for (const line of trace.split('\n')) {
    const isolate = /^\[\d+:(0x[0-9a-f]+)/.exec(line)?.[1];
    if (isolate === undefined || !line.includes('"gc":"s"')) continue;
    const sum = sums.get(isolate) ?? { allocated: 0, promoted: 0 };
    sum.allocated += Number(/"allocated":(\d+)/.exec(line)?.[1]);
    sum.promoted += Number(/"promoted":(\d+)/.exec(line)?.[1]);
    sums.set(isolate, sum);
  }
  return [...sums.values()].toSorted((a, b) => b.allocated - a.allocated)[0]?.promoted ?? Number.NaN;
}

async function readAllocated({ pid }: RunningServer, nth: number): Promise<number> {
  process.kill(pid, 'SIGUSR2');
  const deadline = performance.now() + TELL_LIMIT_MS;
  while (performance.now() < deadline) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    // It may be half written.
    const heap = text.endsWith('}') ? (JSON.parse(text) as { told: number; allocated: number }) : undefined;
    if (heap?.told === nth) return heap.allocated;
    await pause(20);
  }
  throw new Error('the receiver did not tell of its heap');
}
