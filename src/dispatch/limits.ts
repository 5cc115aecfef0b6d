/** How long the parts of one attempt may take, in milliseconds. */
export interface RunLimits {
  /** From the start of a thread until its handler file is loaded. */
  readonly startMs: number;
  /** From the abort of an attempt's signal until it counts as hanging, and for a thread to show that it still yields. */
  readonly graceMs: number;
  /** For the end of a thread; one that is inside a system call may outlast it. */
  readonly endMs: number;
  /** How long a thread without work is kept, where its handler says `idle: true`. */
  readonly idleMs: number;
}

export const RUN_LIMITS: RunLimits = { startMs: 60_000, graceMs: 1_000, endMs: 2_000, idleMs: 60_000 };

/** What a lease lasts beyond the attempt it is for: the commit of the outcome, and a clock that is set. */
const LEASE_MARGIN_MS = 15_000;

/** The longest that one attempt can take, milliseconds. */
export function longestRun(timeoutMs: number, limits: RunLimits): number {
  return limits.startMs + timeoutMs + limits.graceMs + limits.endMs;
}

/** Two attempts' time: one whose thread was lost to another delivery is run again under the lease it has. */
export function leaseLength(timeoutMs: number, limits: RunLimits): number {
  return 2 * longestRun(timeoutMs, limits) + LEASE_MARGIN_MS;
}

/** Milliseconds to wait after that many failures in a row of the store: 0.2 s, doubling up to 5 s. */
export function storeBackoff(failures: number): number {
  return Math.min(5_000, 200 * 2 ** Math.min(failures - 1, 10));
}

/**
 * Megabytes of JavaScript heap that a thread may fill: a quarter of what the process may use, between 256 and 1,024.
 * Buffers lie outside it.
 */
export function heapLimit(constrainedBytes: number, totalBytes: number): number {
  const available = constrainedBytes > 0 ? Math.min(constrainedBytes, totalBytes) : totalBytes;
  return Math.min(1_024, Math.max(256, Math.floor(available / 4 / 1_048_576)));
}
