/** Milliseconds on a clock that is never set back and is the same in every thread of this machine: for durations. */
export function monotonicMilliseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
