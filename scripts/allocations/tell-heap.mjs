import { writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';
import { isMainThread } from 'node:worker_threads';

// Imported into the receiver by guard-allocations.ts: tells on SIGUSR2 what has been allocated so far.

const file = process.env.HEAP_FILE;
if (isMainThread && file !== undefined) {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  let told = 0;
  process.on('SIGUSR2', () => {
    told += 1;
    // A table keeps garbage alive only once it is among the old objects itself, which takes minutes where little outlives the
    // quick collection. This puts it there at once.
    if (told === 1) collect();
    writeFileSync(file, JSON.stringify({ told, allocated: v8.getHeapStatistics().total_allocated_bytes }));
  });
}
