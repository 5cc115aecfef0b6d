import type { SpilledBody } from '../spill/parcel.ts';
import { toText } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

/** Gives what is kept under these bytes, and locks it. */
const INSERT: Statement = {
  name: 'move-quarantined',
  text: `INSERT INTO quarantine AS q
      (id, received_at, last_received_at, times, reason, principal, content_type, body_sha256, state, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'held', $9)
    ON CONFLICT (body_sha256) DO UPDATE SET id = q.id
    RETURNING id, times`,
};

/** Its id leads to that of the first from then on, which also tells that its times were added. */
const LEAVE_ALIAS: Statement = {
  name: 'alias-quarantined',
  text: 'INSERT INTO event_aliases (id, event_id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING id',
};

/** What came again waits for an operator again, as it does where it comes here directly. */
const ADD_TIMES: Statement = {
  name: 'add-quarantined',
  text: `UPDATE quarantine SET times = times + $2, last_received_at = greatest(last_received_at, $3),
      received_at = least(received_at, $4), state = 'held', event_id = NULL
    WHERE id = $1`,
};

/** Inside a transaction. */
export async function moveBodies(runner: Runner, bodies: readonly SpilledBody[]): Promise<void> {
  // In order of what is locked, as everybody does it.
  const inOrder = [...bodies].sort((a, b) => (a.bodySha256 < b.bodySha256 ? -1 : 1));
  for (const body of inOrder) await moveBody(runner, body);
}

/** Under its own id it came here before: by this move, and then nothing is missing; or by a commit of unknown outcome, which
 * counted the first of its times alone. */
async function moveBody(runner: Runner, spilled: SpilledBody): Promise<void> {
  const { id, receivedAt, lastReceivedAt, times, reason, principal, contentType, bodySha256, body } = spilled;
  const [kept] = await runner.all<{ id: string; times: number }>(
    INSERT,
    id,
    receivedAt,
    lastReceivedAt,
    times,
    reason,
    principal,
    toText(contentType),
    bodySha256,
    body,
  );
  if (kept === undefined) throw new Error('a body in quarantine was not kept');
  const missing = kept.id === id ? times - kept.times : await timesToAdd(runner, spilled, kept.id);
  if (missing > 0) await runner.all(ADD_TIMES, kept.id, missing, lastReceivedAt, receivedAt);
}

/** All of them at the first move, none when it comes again. */
async function timesToAdd(runner: Runner, { id, times }: SpilledBody, first: string): Promise<number> {
  const left = await runner.all(LEAVE_ALIAS, id, first);
  return left.length > 0 ? times : 0;
}
