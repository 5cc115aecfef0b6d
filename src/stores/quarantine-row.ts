import type { QuarantinedBody, QuarantineState } from '../inbox/store.ts';

/** Columns of `quarantine` as every store names them, without the body. */
export interface QuarantineRow {
  readonly id: string;
  readonly received_at: number;
  readonly last_received_at: number;
  readonly times: number;
  readonly reason: string;
  readonly principal: string;
  readonly content_type: string | null;
  readonly body_sha256: string;
  readonly bytes: number;
  readonly state: QuarantineState;
  readonly event_id: string | null;
}

export function toQuarantined(row: QuarantineRow): QuarantinedBody {
  return {
    ...receiptOf(row),
    bodySha256: row.body_sha256,
    bytes: row.bytes,
    state: row.state,
    eventId: row.event_id,
  };
}

/** When, how often and from whom it came. */
export function receiptOf(row: Omit<QuarantineRow, 'bytes' | 'state' | 'event_id'>) {
  return {
    id: row.id,
    receivedAt: row.received_at,
    lastReceivedAt: row.last_received_at,
    times: row.times,
    reason: row.reason,
    principal: row.principal,
    contentType: row.content_type,
  };
}
