/** Milliseconds on a clock that is never set back and is the same in every thread of this machine: for durations. */
export function monotonicMilliseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/** Milliseconds by which two clocks may differ between two readings before one of them counts as set. */
const STEP_MS = 1_000;

interface Clocks {
  /** Epoch milliseconds; may be set at any time. */
  readonly clock: () => number;
  /** Milliseconds that only go on. */
  readonly monotonic?: () => number;
}

/**
 * Epoch milliseconds that are never set back: what was due in 3 s is due in 3 s, whatever becomes of the clock. It follows
 * where the clock is set forward, and meets it again where the clock has caught up.
 */
export function neverSetBack({ clock, monotonic = monotonicMilliseconds }: Clocks): () => number {
  let offset = 0;
  let last = clock();
  let read = monotonic();
  return () => {
    const [wall, at] = [clock(), monotonic()];
    const expected = last + at - read;
    if (Math.abs(wall + offset - expected) > STEP_MS) offset = Math.max(0, Math.round(expected - wall));
    last = Math.max(last, wall + offset);
    read = at;
    return last;
  };
}

/**
 * The same for the end of leases, which must not come early either: where the clock was set forward, it goes on as before for as
 * long as a lease from before may last.
 */
export function forLeases({ clock, monotonic = monotonicMilliseconds }: Clocks, leaseMs: number): () => number {
  let last = clock();
  let read = monotonic();
  let until: number | undefined;
  return () => {
    const [wall, at] = [clock(), monotonic()];
    const expected = last + Math.round(at - read);
    if (until === undefined && wall - expected > STEP_MS) until = at + leaseMs;
    const isHeld = until !== undefined && at < until;
    if (!isHeld) until = undefined;
    last = isHeld ? expected : wall;
    read = at;
    return last;
  };
}
