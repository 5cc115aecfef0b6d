import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { AuditDraft } from '../../src/audit/entry.ts';
import { draft } from '../../src/audit/make-draft.ts';
import { monotonicMilliseconds } from '../../src/inbox/clock.ts';
import type { Accept, Batch, ClaimedDelivery, DeliveryOutcome, Quarantine } from '../../src/inbox/store.ts';

/** Parts of batches for tests, each new unless told otherwise. */

export const RETENTION_MS = 30 * 86_400_000;

export function makeDraft(action = 'test.act', at = Date.now()): AuditDraft {
  return draft({ action, userId: 'service', resource: 'test', result: 'success', metadata: { n: 1 }, at });
}

export interface AcceptOptions {
  readonly content?: string;
  readonly timestamp?: number | null;
  readonly receivedAt?: number;
  readonly dedupUntil?: number;
  readonly lead?: string | null;
  readonly type?: string;
  readonly campaignId?: string;
  readonly charset?: string;
  readonly routes?: Accept['routes'];
  readonly quarantineId?: string;
}

let made = 0;

export function makeAccept(options: AcceptOptions = {}): Accept {
  made += 1;
  const content = options.content ?? `content ${made}`;
  const receivedAt = options.receivedAt ?? Date.now();
  return {
    event: {
      id: uuidv7(),
      receivedAt,
      type: options.type ?? 'reply_received',
      rawType: options.type ?? 'reply_received',
      timestamp: options.timestamp === undefined ? 1_700_000_000_000 : options.timestamp,
      lead: options.lead === undefined ? 'lead@one.example' : options.lead,
      campaignId: options.campaignId ?? null,
      principal: 'instantly:token:1',
      source: 'webhook',
      charset: options.charset ?? null,
      dedupKey: createHash('sha256').update(content).digest(),
      dedupUntil: options.dedupUntil ?? receivedAt + RETENTION_MS,
      body: Buffer.from(content),
    },
    routes: options.routes ?? [],
    audit: { draft: makeDraft('webhook.receive'), startedAt: monotonicMilliseconds() },
    ...(options.quarantineId === undefined ? {} : { quarantineId: options.quarantineId }),
  };
}

export function makeQuarantine(body: string): Quarantine {
  return {
    id: uuidv7(),
    receivedAt: Date.now(),
    reason: 'not-json',
    principal: 'instantly:token:1',
    contentType: 'application/json',
    bodySha256: createHash('sha256').update(body).digest('hex'),
    body: Buffer.from(body),
    audit: { draft: makeDraft('webhook.receive'), startedAt: monotonicMilliseconds() },
  };
}

export function makeOutcome(
  delivery: ClaimedDelivery,
  next: DeliveryOutcome['next'],
  at = Date.now(),
): DeliveryOutcome {
  return { deliveryId: delivery.deliveryId, lease: delivery.lease, at, next, audit: makeDraft('handler.run') };
}

export function makeBatch(parts: Partial<Batch>): Batch {
  return { accepts: [], quarantines: [], outcomes: [], audits: [], ...parts };
}
