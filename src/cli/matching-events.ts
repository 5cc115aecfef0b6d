import type { Store, StoredEvent } from '../inbox/store.ts';
import type { Conditions } from './event-filter.ts';

/** Events listed at once. Every list reads the table from its newest end, so many small ones would take long. */
const PAGE_SIZE = 10_000;

/** After every event. */
const OPEN_END = Number.MAX_SAFE_INTEGER;

/**
 * Every event that matches, each once, in pages. The store lists the newest first and can be asked for those before a
 * time, but events need not be stored in the order of their times: the clock may have been set back, and many may share
 * a millisecond. So a full page only tells where to divide; what is yielded is always all there is between two times.
 */
export async function* matchingEvents(
  store: Pick<Store, 'listEvents'>,
  filter: Conditions,
  pageSize = PAGE_SIZE,
): AsyncGenerator<readonly StoredEvent[], void, void> {
  let until = filter.until ?? OPEN_END;
  let limit = pageSize;
  for (;;) {
    const page = await store.listEvents({ ...filter, until, limit });
    if (page.length < limit) {
      if (page.length > 0) yield page;
      return;
    }
    const oldest = page.reduce((least, { receivedAt }) => Math.min(least, receivedAt), until);
    if (oldest + 1 >= until) {
      // All of one millisecond, which cannot be divided.
      limit *= 2;
      continue;
    }
    yield* matchingEvents(store, { ...filter, since: oldest + 1, until }, pageSize);
    until = oldest + 1;
    limit = pageSize;
  }
}
