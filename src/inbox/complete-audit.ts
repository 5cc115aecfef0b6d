import type { AuditDraft } from '../audit/entry.ts';
import { monotonicMilliseconds } from './clock.ts';
import type { PendingAudit } from './store.ts';

/** What only the commit knows, put into the entry: which event it became, and how long it took until now. */
export function completeAudit(
  audit: PendingAudit,
  facts: { readonly eventId?: string; readonly reason: string },
): AuditDraft {
  const durationMs = Math.round((monotonicMilliseconds() - audit.startedAt) * 1_000) / 1_000;
  return { ...audit.draft, metadata: { ...audit.draft.metadata, ...facts, durationMs } };
}
