import { isOfStranger } from '../../audit/chain-memory.ts';
import { completeAudit } from '../../inbox/complete-audit.ts';
import type { Batch, CommitResult, DeliveryOutcome } from '../../inbox/store.ts';
import { Tally } from '../tally.ts';
import { acceptEvents } from './accept-events.ts';
import { type EndedAttempt, endAttempts } from './end-attempts.ts';
import { keepQuarantined, markRetried } from './keep-quarantined.ts';
import type { OpenChain } from './open-chain.ts';
import type { Runner } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/**
 * A batch's work inside a transaction, its audit entries gathered in `chain` and not written yet. Locks are taken in one
 * order by everybody: deduplication keys, quarantined bodies, lanes, counts, the chain.
 */
export async function commitBatch(
  runner: Runner,
  chain: OpenChain,
  batch: Batch,
  now: number,
): Promise<Omit<CommitResult, 'head'>> {
  if (batch.audits.some(isOfStranger)) await chain.openStrangers();
  const tally = new Tally();
  const { results, deliveries } = await acceptEvents(runner, batch.accepts, now);
  tally.add('pending', deliveries);
  const quarantined = await keepQuarantined(runner, batch.quarantines);
  await markRetried(runner, batch.accepts, results);
  const moved = await endAttempts(runner, batch.outcomes.map(toEnded), now);
  for (const [state, n] of moved) {
    tally.move('running', state, n);
  }
  await writeTally(runner, tally);

  for (const [index, { audit }] of batch.accepts.entries()) {
    const result = results[index];
    if (result !== undefined) chain.append(completeAudit(audit, { eventId: result.id, reason: result.status }));
  }
  for (const { audit, reason } of batch.quarantines) chain.append(completeAudit(audit, { reason }));
  for (const { audit } of batch.outcomes) chain.append(audit);
  for (const draft of batch.audits) chain.append(draft);
  return { accepted: results, quarantined, pending: tally.madePending };
}

function toEnded({ deliveryId: id, lease, at, next }: DeliveryOutcome): EndedAttempt {
  const base = { id, lease, at, nextAt: null, holdUntil: null, error: null, counts: true };
  if (next.state === 'done') return { ...base, state: 'done' };
  if (next.state === 'dead') return { ...base, state: 'dead', error: next.error };
  if (next.state === 'released') return { ...base, state: 'pending', nextAt: at, counts: false };
  return { ...base, state: 'pending', nextAt: next.retryAt, holdUntil: at + next.holdMs, error: next.error };
}
