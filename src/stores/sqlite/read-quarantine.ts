import type { QuarantinedBody, QuarantineState } from '../../inbox/store.ts';
import type { Connection } from './connection.ts';

interface QuarantineRow {
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

const COLUMNS =
  'id, received_at, last_received_at, times, reason, principal, content_type, body_sha256, length(body) AS bytes, state, event_id';

export function listQuarantine(
  connection: Connection,
  filter: { readonly limit: number; readonly state?: QuarantineState },
): QuarantinedBody[] {
  return connection
    .all<QuarantineRow>(
      `SELECT ${COLUMNS} FROM quarantine WHERE ?1 IS NULL OR state = ?1 ORDER BY seq DESC LIMIT ?2`,
      filter.state ?? null,
      filter.limit,
    )
    .map(toQuarantined);
}

export function findQuarantined(
  connection: Connection,
  id: string,
): (QuarantinedBody & { body: Uint8Array }) | undefined {
  const row = connection.get<QuarantineRow & { body: Uint8Array }>(
    `SELECT ${COLUMNS}, body FROM quarantine WHERE id = ?`,
    id,
  );
  return row === undefined ? undefined : { ...toQuarantined(row), body: row.body };
}

function toQuarantined(row: QuarantineRow): QuarantinedBody {
  return {
    id: row.id,
    receivedAt: row.received_at,
    lastReceivedAt: row.last_received_at,
    times: row.times,
    reason: row.reason,
    principal: row.principal,
    contentType: row.content_type,
    bodySha256: row.body_sha256,
    bytes: row.bytes,
    state: row.state,
    eventId: row.event_id,
  };
}
