/**
 * Works on items as they come, a few at a time, and takes the next only when there is room.
 *
 * @throws what the source or the work throws, or the signal's reason
 */
export async function workAtOnce<T>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const faults: unknown[] = [];
  try {
    for await (const item of items) {
      signal.throwIfAborted();
      const one: Promise<void> = work(item)
        .catch((error: unknown) => void faults.push(error))
        .finally(() => running.delete(one));
      running.add(one);
      if (running.size >= limit) await Promise.race(running);
      if (faults.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (faults.length > 0) throw faults[0];
  signal.throwIfAborted();
}
