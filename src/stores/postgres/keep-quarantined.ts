import type { Accept, AcceptResult, Quarantine } from '../../inbox/store.ts';
import { toText } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

/** The same bytes again are counted, not kept twice, so that a sender's retries fill no disk. They wait for an operator
 * again even where the first were retried: two events cut off at the same byte are alike. */
const KEEP: Statement = {
  name: 'keep-quarantined',
  text: `INSERT INTO quarantine AS q (id, received_at, last_received_at, reason, principal, content_type, body_sha256, state, body)
    VALUES ($1, $2, $2, $3, $4, $5, $6, 'held', $7)
    ON CONFLICT (body_sha256) DO UPDATE
      SET times = q.times + 1, last_received_at = excluded.last_received_at, state = 'held', event_id = NULL
    RETURNING id`,
};

const MARK_RETRIED: Statement = {
  name: 'mark-retried',
  text: `UPDATE quarantine q SET state = 'retried', event_id = i.event_id
    FROM unnest($1::uuid[], $2::uuid[]) AS i (id, event_id) WHERE q.id = i.id`,
};

/** One by one: they are rare, and each may be megabytes. Gives the id under which each is kept, in order. */
export async function keepQuarantined(runner: Runner, quarantines: readonly Quarantine[]): Promise<string[]> {
  const ids = new Map<Quarantine, string>();
  // In order of what is locked, as everybody does it.
  const inOrder = [...quarantines].sort((a, b) => (a.bodySha256 < b.bodySha256 ? -1 : 1));
  for (const quarantine of inOrder) {
    const { id, receivedAt, reason, principal, contentType, bodySha256, body } = quarantine;
    const [row] = await runner.all<{ id: string }>(
      KEEP,
      id,
      receivedAt,
      reason,
      principal,
      toText(contentType),
      bodySha256,
      body,
    );
    ids.set(quarantine, row?.id ?? id);
  }
  return quarantines.map((quarantine) => ids.get(quarantine) ?? quarantine.id);
}

/** Marks the quarantined bodies from which these events were made. */
export async function markRetried(
  runner: Runner,
  accepts: readonly Accept[],
  results: readonly AcceptResult[],
): Promise<void> {
  const marks = accepts.flatMap(({ quarantineId, event }, index) =>
    quarantineId === undefined ? [] : [{ quarantineId, eventId: results[index]?.id ?? event.id }],
  );
  if (marks.length === 0) return;
  await runner.all(
    MARK_RETRIED,
    marks.map(({ quarantineId }) => quarantineId),
    marks.map(({ eventId }) => eventId),
  );
}
