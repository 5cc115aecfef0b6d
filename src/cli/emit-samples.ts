import { SAMPLES } from '../events/samples.ts';
import type { FakeInstantly } from '../fake-instantly/start-fake-instantly.ts';

const TICK_MS = 50;
/** Events whose first attempts have not ended; while there are so many, none is added. */
const MAX_PENDING = 1_000;

/** Events of all types in turn, so many a second; those that find too many before them are left out, not made up for. */
export function emitSamples(fake: FakeInstantly, perSecond: number): { stop(): void } {
  const types = Object.keys(SAMPLES);
  let last = performance.now();
  let owed = 0;
  let made = 0;
  let pending = 0;
  const tick = (): void => {
    const now = performance.now();
    owed += ((now - last) * perSecond) / 1_000;
    last = now;
    for (; owed >= 1; owed -= 1) {
      if (pending >= MAX_PENDING) continue;
      pending += 1;
      fake
        .emit(types[made % types.length] ?? '')
        // Only ever that too many wait.
        .catch(() => undefined)
        .finally(() => {
          pending -= 1;
        });
      made += 1;
    }
  };
  const timer = setInterval(tick, TICK_MS);
  return { stop: () => clearInterval(timer) };
}
