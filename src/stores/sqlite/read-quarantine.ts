import type { QuarantinedBody, QuarantineState } from '../../inbox/store.ts';
import { type QuarantineRow, toQuarantined } from '../quarantine-row.ts';
import type { Connection } from './connection.ts';

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
