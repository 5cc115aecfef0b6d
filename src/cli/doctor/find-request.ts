import { setTimeout as pause } from 'node:timers/promises';
import type { AuditEntry } from '../../audit/entry.ts';
import type { AuditCursor, AuditTail } from '../../inbox/store.ts';
import type { ReadableStore } from '../open-store.ts';

const LOOK_MS = 250;
const PAGE = 1_000;

export interface SoughtRequest {
  /** Under one of which its entry is written. */
  readonly ids: readonly string[];
  /** Where the log ended before the request. */
  readonly after: AuditCursor;
  readonly withinMs: number;
}

/**
 * Looks for the audit entry of a request that was refused: it is written with the next commit.
 *
 * @returns `counted`: it may be one of several that an entry counts, because there was no room for each or a commit had failed
 */
export async function findRequest(
  store: Pick<ReadableStore, 'tailAudit'>,
  { ids, after, withinMs }: SoughtRequest,
  signal: AbortSignal,
): Promise<'found' | 'counted' | 'absent'> {
  const deadline = performance.now() + withinMs;
  let cursor = after;
  let isCounted = false;
  for (;;) {
    const tail: AuditTail = await store.tailAudit(PAGE, cursor);
    if (tail.entries.some(({ metadata }) => ids.includes(String(metadata['requestId'])))) return 'found';
    isCounted ||= tail.entries.some(countsRefused);
    cursor = tail.cursor;
    if (tail.entries.length === PAGE) continue;
    if (performance.now() > deadline) return isCounted ? 'counted' : 'absent';
    await pause(LOOK_MS, undefined, { signal });
  }
}

function countsRefused({ action, metadata }: AuditEntry): boolean {
  return action === 'audit.gap' || (action === 'webhook.receive' && metadata['aggregated'] === true);
}
