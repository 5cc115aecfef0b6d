/**
 * Counts what an accepted request costs in objects, which repeats where times do not: the bytes that the thread which answers
 * allocates for it, and those of them that outlive the quick garbage collection. The second is near nothing unless something keeps
 * what is over, as a Map does through which every request passes; it then costs more than all else (docs/performance.md).
 *
 *   node scripts/guard-allocations.ts
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AUDIT_KEY } from '../bench/audit-key.ts';
import { median } from '../bench/figures.ts';
import { runLoad } from '../bench/run-load.ts';
import { RECEIVER, type RunningServer, SECRET, startServer } from '../bench/servers.ts';
import { guardFolder } from '../test/support/guard-folder.ts';

const MOST_ALLOCATED = 55_000;
const MOST_KEPT = 3_500;

const WARM_UP = 10_000;
const SLICES = 8;
const SLICE = 4_000;
const TELL_LIMIT_MS = 10_000;
const PRELOAD = join(import.meta.dirname, 'allocations/tell-heap.mjs');

interface Heap {
  readonly told: number;
  readonly allocated: number;
  readonly old: number;
}

const folder = guardFolder('receiver-heap-');
const file = join(folder.path, 'heap.json');
const server = await startServer(['--import', PRELOAD, ...RECEIVER], { AUDIT_KEY, HEAP_FILE: file });
try {
  const order = { url: server.url, secret: SECRET, connections: 64, leads: 5_000 };
  await runLoad({ ...order, amount: WARM_UP });
  const heaps = [await readHeap(server, 1)];
  for (let n = 0; n < SLICES; n += 1) {
    await runLoad({ ...order, amount: SLICE });
    heaps.push(await readHeap(server, n + 2));
  }
  const steps = heaps.slice(1).map((heap, index) => ({
    allocated: (heap.allocated - (heaps[index]?.allocated ?? 0)) / SLICE,
    kept: (heap.old - (heaps[index]?.old ?? 0)) / SLICE,
  }));
  judge('allocated', median(steps.map(({ allocated }) => allocated)), MOST_ALLOCATED);
  // A full collection in between makes less of it.
  judge('kept', median(steps.map(({ kept }) => kept).filter((kept) => kept > -MOST_KEPT)), MOST_KEPT);
} finally {
  await server.stop();
  await folder.remove();
}

function judge(what: string, bytes: number, most: number): void {
  process.stdout.write(`${Math.round(bytes)} bytes ${what} for each accepted request (at most ${most})\n`);
  if (!(bytes <= most)) process.exitCode = 1;
}

async function readHeap({ pid }: RunningServer, nth: number): Promise<Heap> {
  process.kill(pid, 'SIGUSR2');
  const deadline = performance.now() + TELL_LIMIT_MS;
  while (performance.now() < deadline) {
    const heap = existsSync(file) ? parse(readFileSync(file, 'utf8')) : undefined;
    if (heap?.told === nth) return heap;
    await pause(20);
  }
  throw new Error('the receiver did not tell of its heap');
}

/** It may be half written. */
function parse(text: string): Heap | undefined {
  return text.endsWith('}') ? (JSON.parse(text) as Heap) : undefined;
}
