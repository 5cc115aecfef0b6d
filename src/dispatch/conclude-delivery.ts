import type { AuditDraft } from '../audit/entry.ts';
import { draft } from '../audit/make-draft.ts';
import type { HandlerSettings } from '../config/settings.ts';
import { typeLabel } from '../events/names.ts';
import { afterFailure } from '../inbox/retry-schedule.ts';
import type { ClaimedDelivery, DeliveryOutcome } from '../inbox/store.ts';
import type { RunOutcome } from './run-outcome.ts';

export interface EndedAttempt {
  readonly delivery: ClaimedDelivery;
  readonly outcome: RunOutcome;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Epoch milliseconds. */
  readonly endedAt: number;
  readonly durationMs: number;
}

/** What is committed for an attempt: the delivery's next state and the audit entry. */
export function concludeDelivery(
  attempt: EndedAttempt,
  settings: HandlerSettings,
  random: () => number = Math.random,
): DeliveryOutcome {
  const { delivery, endedAt } = attempt;
  const next = nextState(attempt, settings, random);
  return { deliveryId: delivery.deliveryId, lease: delivery.lease, at: endedAt, next, audit: auditOf(attempt, next) };
}

function nextState(
  { delivery, outcome, endedAt }: EndedAttempt,
  settings: HandlerSettings,
  random: () => number,
): DeliveryOutcome['next'] {
  if (outcome.kind !== 'failed') return { state: outcome.kind };
  const after = afterFailure(delivery.attempt, settings, random);
  if (after.state === 'dead') return { state: 'dead', error: outcome.error };
  return {
    state: 'pending',
    error: outcome.error,
    retryAt: endedAt + after.delayMs,
    holdMs: settings.orderHoldMs,
  };
}

/** Says what kind of failure it was, never the error's text: it is the user's code that words it. */
function auditOf(
  { delivery, outcome, startedAt, durationMs }: EndedAttempt,
  next: DeliveryOutcome['next'],
): AuditDraft {
  return draft({
    action: 'handler.run',
    userId: 'service',
    resource: 'handler',
    result: outcome.kind === 'done' ? 'success' : 'failure',
    at: startedAt,
    metadata: {
      handler: delivery.handler,
      eventId: delivery.eventId,
      eventType: typeLabel(delivery.type),
      attempt: delivery.attempt,
      outcome: next.state === 'pending' ? 'retry' : next.state,
      failure: outcome.kind === 'failed' ? outcome.failure : undefined,
      durationMs,
      outOfOrder: delivery.outOfOrder || undefined,
      replay: delivery.replay || undefined,
    },
  });
}
