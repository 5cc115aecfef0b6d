import type { AuditEntry } from '../audit/entry.ts';
import type { AuditCursor, AuditTail } from '../inbox/store.ts';
import type { ReadableStore } from './open-store.ts';
import { startProgress } from './progress.ts';

/** Entries looked at first: a day or more of most logs. */
const NEWEST = 20_000;
const PAGE = 2_000;
/** Milliseconds: an entry has the time at which its action began, and stands in the order of the commits. */
const LATE_MS = 10 * 60_000;
const WANTED = /^(?:instantly\.api\.call|(?:webhook|secret|api-key)\..+)$/;

/**
 * Entries about calls of the API and about secrets from a time on, in the order of their commits. Of a log whose entries may
 * have been committed much later than they were made (those of a spill), all is read.
 */
export async function readEntriesSince(
  store: Pick<ReadableStore, 'tailAudit'>,
  kind: 'sqlite' | 'postgres',
  since: number,
  signal: AbortSignal,
): Promise<AuditEntry[]> {
  const isWanted = ({ action, timestamp }: AuditEntry): boolean =>
    Date.parse(timestamp) >= since && action !== 'webhook.receive' && WANTED.test(action);
  if (kind === 'sqlite') {
    const { entries } = await store.tailAudit(NEWEST);
    const [oldest] = entries;
    const reachesBack = oldest !== undefined && Date.parse(oldest.timestamp) < since - LATE_MS;
    if (entries.length < NEWEST || reachesBack) return entries.filter(isWanted);
  }
  const found: AuditEntry[] = [];
  const progress = startProgress('entries');
  let cursor: AuditCursor = 'start';
  let read = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const page: AuditTail = await store.tailAudit(PAGE, cursor);
      found.push(...page.entries.filter(isWanted));
      read += page.entries.length;
      progress.update(read);
      if (page.entries.length < PAGE) return found;
      cursor = page.cursor;
    }
  } finally {
    progress.stop();
  }
}
