import type { QuarantinedBody, QuarantineState } from '../../inbox/store.ts';
import { type QuarantineRow, toQuarantined } from '../quarantine-row.ts';
import { isUuid } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

const COLUMNS =
  'id, received_at, last_received_at, times, reason, principal, content_type, body_sha256, octet_length(body) AS bytes, state, event_id';

const LIST: Statement = {
  name: 'list-quarantine',
  text: `SELECT ${COLUMNS} FROM quarantine WHERE $1::text IS NULL OR state = $1 ORDER BY seq DESC LIMIT $2::bigint`,
};

const FIND: Statement = {
  name: 'find-quarantined',
  text: `SELECT ${COLUMNS}, body FROM quarantine WHERE id = $1`,
};

export async function listQuarantine(
  runner: Runner,
  filter: { readonly limit: number; readonly state?: QuarantineState },
): Promise<QuarantinedBody[]> {
  const rows = await runner.all<QuarantineRow>(LIST, filter.state ?? null, filter.limit);
  return rows.map(toQuarantined);
}

export async function findQuarantined(
  runner: Runner,
  id: string,
): Promise<(QuarantinedBody & { readonly body: Uint8Array }) | undefined> {
  if (!isUuid(id)) return undefined;
  const [row] = await runner.all<QuarantineRow & { readonly body: Buffer }>(FIND, id);
  return row === undefined ? undefined : { ...toQuarantined(row), body: row.body };
}
