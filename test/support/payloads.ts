import { randomUUID } from 'node:crypto';

/** Stands in bodies, paths and credentials of the tests and may come out nowhere. */
export const MARK = 'mark-7f3a';
export const LEAD = `lead-${MARK}@northwind.example`;

/** An event that no other is a duplicate of. */
export function freshPayload(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    timestamp: new Date().toISOString(),
    event_type: 'reply_received',
    workspace: randomUUID(),
    campaign_id: randomUUID(),
    lead_email: LEAD,
    reply_text: `words of ${MARK}`,
    ...more,
  };
}

export function freshBody(more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(freshPayload(more));
}
