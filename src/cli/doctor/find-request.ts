import { setTimeout as pause } from 'node:timers/promises';
import type { AuditEntry } from '../../audit/entry.ts';
import type { AuditCursor, AuditTail } from '../../inbox/store.ts';
import type { ReadableStore } from '../open-store.ts';

const LOOK_MS = 250;
const PAGE = 1_000;

/**
 * The audit entry of a request that was answered already: it is written with the next commit.
 *
 * @param ids under one of which it is written
 * @param after where the log ended before the request
 * @returns `undefined` where it does not come in time
 */
export async function findRequest(
  store: Pick<ReadableStore, 'tailAudit'>,
  ids: readonly string[],
  after: AuditCursor,
  withinMs: number,
  signal: AbortSignal,
): Promise<AuditEntry | undefined> {
  const deadline = performance.now() + withinMs;
  let cursor = after;
  for (;;) {
    const tail: AuditTail = await store.tailAudit(PAGE, cursor);
    const found = tail.entries.find(({ metadata }) => ids.includes(String(metadata['requestId'])));
    if (found !== undefined) return found;
    cursor = tail.cursor;
    if (tail.entries.length === PAGE) continue;
    if (performance.now() > deadline) return undefined;
    await pause(LOOK_MS, undefined, { signal });
  }
}
