import type { Logger } from 'pino';
import type { AuditDraft, AuditMetadata } from '../audit/entry.ts';
import { InstantlyApiError } from './api-error.ts';
import { fetchAllFrom } from './look-at-webhooks.ts';
import { judgeResume } from './resume-policy.ts';
import type { WatchedWebhook, WatchState } from './watch-state.ts';
import type { InstantlyWriter } from './writer.ts';

export interface ResumeOptions {
  /** `undefined`: nothing is resumed. */
  readonly writer: Pick<InstantlyWriter, 'resumeWebhook'> | undefined;
  readonly save: (state: WatchState) => Promise<void>;
  /** Once, until it changes; an empty message where there is nothing to say. */
  readonly say: (about: string, message: string) => void;
  readonly record: (action: string, result: AuditDraft['result'], metadata: AuditMetadata) => void;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Has those resumed that Instantly has disabled, as far as the policy lets us. */
export async function resumeDisabled(
  state: WatchState,
  now: number,
  options: ResumeOptions,
  signal: AbortSignal,
): Promise<WatchState> {
  let current = state;
  for (const webhook of state.webhooks) {
    if (webhook.status !== 'disabled') {
      options.say(webhook.id, '');
      continue;
    }
    // Counted before it is done, since we may be gone when it is.
    const about = { ...webhook, resumes: webhook.resumes + 1, resumedAt: now, resuming: true };
    const prepare = () => options.save(replace(current, about));
    const resumed = await resumeOne(webhook, now, prepare, options, signal);
    const allFrom = resumed.status === 'active' ? fetchAllFrom([webhook], now) : null;
    current = replace({ ...current, reconcile: sooner(current.reconcile, allFrom) }, resumed);
  }
  return current;
}

async function resumeOne(
  webhook: WatchedWebhook,
  now: number,
  prepare: () => Promise<void>,
  { writer, say, record, logger }: ResumeOptions,
  signal: AbortSignal,
): Promise<WatchedWebhook> {
  const since = webhook.disabledSince === null ? 'some time' : new Date(webhook.disabledSince).toISOString();
  const disabled = `Instantly has disabled the webhook ${webhook.id} since ${since}: no event arrives`;
  if (writer === undefined) {
    say(webhook.id, `${disabled}; run "webhooks resume", or set a key for writing`);
    return webhook;
  }
  const verdict = judgeResume(webhook, now);
  if (verdict !== 'resume') {
    const what = verdict === 'wait' ? 'it is resumed again later' : 'run "webhooks resume" once its cause is mended';
    say(webhook.id, `${disabled}, again after ${webhook.resumes} resumptions; ${what}`);
    return webhook;
  }
  const facts = { webhookId: webhook.id, disabledSince: since, resumptions: webhook.resumes + 1 };
  await prepare();
  try {
    await writer.resumeWebhook(webhook.id, signal);
  } catch (error) {
    if (!(error instanceof InstantlyApiError)) throw error;
    record('webhook.resume', 'failure', { ...facts, reason: error.failure });
    say(webhook.id, `${disabled}, and it could not be resumed: ${error.message}`);
    return { ...webhook, resuming: error.isOutcomeUnknown };
  }
  record('webhook.resume', 'success', facts);
  logger.warn(facts, 'Instantly had disabled the webhook; it is resumed, and what it missed is fetched back');
  const counted = { resumes: webhook.resumes + 1, resumedAt: now, resuming: false };
  return { ...webhook, status: 'active', disabledSince: null, ...counted };
}

function replace(state: WatchState, webhook: WatchedWebhook): WatchState {
  return { ...state, webhooks: state.webhooks.map((one) => (one.id === webhook.id ? webhook : one)) };
}

export function sooner(state: WatchState['reconcile'], allFrom: number | null): WatchState['reconcile'] {
  if (allFrom === null) return state;
  return { ...state, allFrom: Math.min(state.allFrom ?? allFrom, allFrom) };
}
