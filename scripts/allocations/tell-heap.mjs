import { writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import { isMainThread } from 'node:worker_threads';

// Imported into the receiver by guard-allocations.ts: tells on SIGUSR2 what has been allocated, and what the old objects take.

const file = process.env.HEAP_FILE;
if (isMainThread && file !== undefined) {
  let told = 0;
  process.on('SIGUSR2', () => {
    told += 1;
    const allocated = v8.getHeapStatistics().total_allocated_bytes;
    const old = v8.getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')?.space_used_size;
    writeFileSync(file, JSON.stringify({ told, allocated, old }));
  });
}
