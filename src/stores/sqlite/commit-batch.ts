import { completeAudit } from '../../inbox/complete-audit.ts';
import type { Accept, AcceptResult, Batch, CommitResult, PendingAudit, Quarantine } from '../../inbox/store.ts';
import { NO_TIMESTAMP } from '../dedup-keys.ts';
import { Tally } from '../tally.ts';
import { applyOutcome } from './apply-outcome.ts';
import type { AuditLane } from './audit-lane.ts';
import type { Connection } from './connection.ts';
import { dueTimeOfNewest } from './order-deliveries.ts';
import { writeTally } from './write-tally.ts';

export function commitBatch(connection: Connection, lane: AuditLane, batch: Batch): CommitResult {
  return connection.transaction(() => {
    const now = Date.now();
    const tally = new Tally();
    const chain = lane.open(connection, now);
    const settle = (audit: PendingAudit, facts: { eventId?: string; reason: string }): void =>
      chain.append(completeAudit(audit, facts));

    const accepted = batch.accepts.map((accept) => {
      const result = acceptEvent(connection, tally, accept, now);
      settle(accept.audit, { eventId: result.id, reason: result.status });
      return result;
    });
    const quarantined = batch.quarantines.map((quarantine) => {
      settle(quarantine.audit, { reason: quarantine.reason });
      return keepQuarantined(connection, quarantine);
    });
    for (const outcome of batch.outcomes) {
      applyOutcome(connection, tally, outcome);
      chain.append(outcome.audit);
    }
    for (const draft of batch.audits) chain.append(draft);

    writeTally(connection, tally);
    return { accepted, quarantined, pending: tally.madePending, head: chain.close() };
  });
}

function acceptEvent(connection: Connection, tally: Tally, accept: Accept, now: number): AcceptResult {
  const { event } = accept;
  const occurredAt = event.timestamp ?? NO_TIMESTAMP;
  const known = connection.get<{ id: string }>(
    `SELECT e.id FROM dedup_keys k JOIN events e ON e.seq = k.event_seq
      WHERE k.occurred_at = ? AND k.key = ? AND k.valid_until > ?`,
    occurredAt,
    event.dedupKey,
    event.receivedAt,
  );
  const id = known?.id ?? event.id;
  if (known === undefined) insertEvent(connection, tally, accept, occurredAt, now);
  if (accept.quarantineId !== undefined) {
    connection.run(`UPDATE quarantine SET state = 'retried', event_id = ? WHERE id = ?`, id, accept.quarantineId);
  }
  return { status: known === undefined ? 'accepted' : 'duplicate', id };
}

function insertEvent(connection: Connection, tally: Tally, accept: Accept, occurredAt: number, now: number): void {
  const { event } = accept;
  const { lastId: seq } = connection.run(
    `INSERT INTO events (id, received_at, type, raw_type, occurred_at, lead, campaign_id, principal, source, charset, bytes, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    event.id,
    event.receivedAt,
    event.type,
    event.rawType,
    event.timestamp,
    event.lead,
    event.campaignId,
    event.principal,
    event.source,
    event.charset,
    event.body.byteLength,
    event.body,
  );
  // REPLACE: the same content may stand there with its time over.
  connection.run(
    'INSERT OR REPLACE INTO dedup_keys (occurred_at, key, event_seq, valid_until) VALUES (?, ?, ?, ?)',
    occurredAt,
    event.dedupKey,
    seq,
    event.dedupUntil,
  );
  for (const { handler, ordered } of accept.routes) {
    const orderKey = ordered ? event.lead : null;
    const due = orderKey === null ? now : dueTimeOfNewest(connection, handler, orderKey, now);
    connection.run(
      `INSERT INTO deliveries (event_seq, handler, state, next_at, order_key, created_at, updated_at)
        VALUES (?, ?, 'pending', ?, ?, ?, ?)`,
      seq,
      handler,
      due,
      orderKey,
      now,
      now,
    );
    tally.add('pending');
  }
}

/** The same bytes again are counted, not kept twice, so that a sender's retries fill no disk. They wait for an operator
 * again even where the first were retried: two events cut off at the same byte are alike. */
function keepQuarantined(connection: Connection, quarantine: Quarantine): string {
  const row = connection.get<{ id: string }>(
    `INSERT INTO quarantine (id, received_at, last_received_at, reason, principal, content_type, body_sha256, state, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, 'held', ?)
      ON CONFLICT (body_sha256) DO UPDATE SET times = times + 1, last_received_at = excluded.last_received_at, state = 'held', event_id = NULL
      RETURNING id`,
    quarantine.id,
    quarantine.receivedAt,
    quarantine.receivedAt,
    quarantine.reason,
    quarantine.principal,
    quarantine.contentType,
    quarantine.bodySha256,
    quarantine.body,
  );
  return row?.id ?? quarantine.id;
}
