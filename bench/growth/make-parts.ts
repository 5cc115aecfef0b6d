import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { draft } from '../../src/audit/make-draft.ts';
import { newId } from '../../src/audit/new-id.ts';
import { monotonicMilliseconds } from '../../src/inbox/clock.ts';
import type { Accept, ClaimedDelivery, DeliveryOutcome } from '../../src/inbox/store.ts';
import { LEADS, leadName, PRINCIPAL, RETENTION_MS, ROUTES } from './history.ts';

/** An event that was never seen, as the inbox hands it over. */
export function makeAccept(): Accept {
  const receivedAt = Date.now();
  const lead = leadName(randomInt(LEADS));
  const body = Buffer.from(JSON.stringify({ event_type: 'email_sent', lead_email: lead, email_id: randomUUID() }));
  const metadata = {
    requestId: newId(),
    ip: '127.0.0.1',
    method: 'POST',
    status: 200,
    bytes: body.byteLength,
    eventType: 'email_sent',
  };
  const fields = { action: 'webhook.receive', userId: PRINCIPAL, resource: 'webhook', result: 'success' } as const;
  return {
    event: {
      id: newId(),
      receivedAt,
      type: 'email_sent',
      rawType: 'email_sent',
      timestamp: receivedAt - 1_000,
      lead,
      campaignId: null,
      principal: PRINCIPAL,
      source: 'webhook',
      charset: null,
      dedupKey: randomBytes(32),
      dedupUntil: receivedAt + RETENTION_MS,
      body,
    },
    routes: ROUTES,
    audit: { draft: draft({ ...fields, at: receivedAt, metadata }), startedAt: monotonicMilliseconds() },
  };
}

/** Of a handler that was done at once. */
export function makeOutcome({ deliveryId, lease, handler, eventId, attempt }: ClaimedDelivery): DeliveryOutcome {
  const at = Date.now();
  const metadata = { handler, eventId, eventType: 'email_sent', attempt, outcome: 'done', durationMs: 1 };
  const fields = { action: 'handler.run', userId: 'service', resource: 'handler', result: 'success' } as const;
  return { deliveryId, lease, at, next: { state: 'done' }, audit: draft({ ...fields, at, metadata }) };
}
