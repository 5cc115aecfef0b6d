import type { Clock } from './clock.ts';
import type { DeliveryLog, LogEntry } from './delivery-log.ts';
import { matchesEvent } from './match-event.ts';
import type { Posted, Poster } from './post-delivery.ts';
import type { JsonObject, Label, Webhook, WebhookEvent } from './shapes.ts';
import type { Webhooks } from './webhooks.ts';

export interface DeliveryRules {
  /** Milliseconds before the second attempt, the third, and so on; one more attempt than it has members. */
  readonly retryDelaysMs: readonly number[];
  /** So many deliveries given up in a row disable the webhook. */
  readonly disableAfter: number;
  /** What becomes of an event for a disabled webhook, which Instantly does not say: an entry in the log as a failure, or nothing. */
  readonly whileDisabled: 'failed' | 'nothing';
}

export interface DeliveriesOptions {
  readonly rules: DeliveryRules;
  readonly clock: Clock;
  readonly webhooks: Webhooks;
  readonly log: DeliveryLog;
  readonly poster: Poster;
  readonly labels: readonly Label[];
  readonly workspaceId: string;
  readonly newId: () => string;
}

/** One event for one webhook. */
interface Delivery {
  readonly webhookId: string;
  readonly payload: JsonObject;
  readonly body: string;
  readonly groupId: string;
  readonly attempts: LogEntry[];
}

interface PutOff {
  readonly entry: LogEntry;
  readonly cancel: () => void;
}

/** First attempts waiting for a place; beyond it events are refused. */
const MAX_WAITING = 10_000;
/** Deliveries waiting for their next attempt; beyond it none is retried. */
const MAX_PUT_OFF = 10_000;

export class TooManyDeliveries extends Error {
  override readonly name = 'TooManyDeliveries';
}

/** Takes events to the webhooks that are subscribed to them. */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  /** By the webhook's id. */
  readonly #putOff = new Map<string, Set<PutOff>>();

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    options.webhooks.onStopped((id) => this.#giveUp(id));
  }

  /**
   * Resolves when each subscribed webhook has had its first attempt, with their entries.
   *
   * @throws TooManyDeliveries
   */
  async emit(payload: JsonObject): Promise<WebhookEvent[]> {
    if (this.#options.poster.waiting >= MAX_WAITING) throw new TooManyDeliveries('too many deliveries are waiting');
    const body = JSON.stringify(payload);
    const subscribed = this.#options.webhooks
      .oldestFirst()
      .filter((webhook) => matchesEvent(webhook, payload, this.#options.labels));
    const entries = await Promise.all(
      subscribed.map((webhook) =>
        this.#deliver({ webhookId: webhook.id, payload, body, groupId: this.#options.newId(), attempts: [] }),
      ),
    );
    return entries.filter((entry) => entry !== undefined);
  }

  async #deliver(delivery: Delivery): Promise<LogEntry | undefined> {
    const { webhooks, poster, rules } = this.#options;
    const webhook = webhooks.find(delivery.webhookId);
    if (webhook === undefined) return undefined;
    if (webhook.status === -1) {
      return rules.whileDisabled === 'failed' ? this.#write(delivery, webhook, DISABLED, undefined) : undefined;
    }
    const posted = await poster.post(webhook.target_hook_url, webhook.headers, delivery.body);
    return this.#conclude(delivery, webhook, posted);
  }

  #conclude(delivery: Delivery, webhook: Webhook, posted: Posted): LogEntry {
    const { webhooks, rules, clock } = this.#options;
    if (posted.success) {
      for (const earlier of delivery.attempts) earlier.retry_successful = true;
      webhooks.countSuccess(webhook.id);
      return this.#write(delivery, webhook, posted, undefined);
    }
    const delay = rules.retryDelaysMs[delivery.attempts.length];
    // It may have been disabled or deleted while this attempt was under way.
    const active = webhooks.find(webhook.id)?.status === 1;
    if (delay !== undefined && active && clock.waiting < MAX_PUT_OFF) {
      const at = clock.now() + delay;
      const entry = this.#write(delivery, webhook, posted, at);
      this.#retryAt(delivery, entry, at);
      return entry;
    }
    const entry = this.#write(delivery, webhook, posted, undefined);
    this.#markFailed(delivery);
    webhooks.countFailure(webhook.id, rules.disableAfter);
    return entry;
  }

  #retryAt(delivery: Delivery, entry: LogEntry, at: number): void {
    const waiting = this.#putOff.get(delivery.webhookId) ?? new Set<PutOff>();
    this.#putOff.set(delivery.webhookId, waiting);
    const putOff: PutOff = {
      entry,
      cancel: this.#options.clock.schedule(at, () => {
        waiting.delete(putOff);
        return this.#deliver(delivery);
      }),
    };
    waiting.add(putOff);
  }

  #giveUp(webhookId: string): void {
    for (const { entry, cancel } of this.#putOff.get(webhookId) ?? []) {
      cancel();
      entry.will_retry = false;
      entry.timestamp_next_retry = null;
    }
    this.#putOff.delete(webhookId);
  }

  #markFailed({ attempts }: Delivery): void {
    if (attempts.length < 2) return;
    for (const entry of attempts) entry.retry_successful = false;
  }

  /** @param nextAt epoch milliseconds of the next attempt */
  #write(delivery: Delivery, webhook: Webhook, posted: Posted, nextAt: number | undefined): LogEntry {
    const { newId, clock, workspaceId, log } = this.#options;
    const created = clock.isoNow();
    const isRetry = delivery.attempts.length > 0;
    const entry: LogEntry = {
      id: newId(),
      timestamp_created: created,
      timestamp_created_date: created.slice(0, 10),
      organization_id: workspaceId,
      payload: delivery.payload,
      success: posted.success,
      retry_count: delivery.attempts.length,
      will_retry: nextAt !== undefined,
      webhook_url: webhook.target_hook_url,
      status_code: posted.statusCode,
      error_message: posted.error,
      timestamp_next_retry: nextAt === undefined ? null : new Date(nextAt).toISOString(),
      retry_group_id: delivery.groupId,
      retry_successful: isRetry ? posted.success : null,
      lead_email: textOrNull(delivery.payload['lead_email']),
      response_time_ms: posted.responseTimeMs,
    };
    delivery.attempts.push(entry);
    log.add(entry, delivery.body.length);
    return entry;
  }
}

const DISABLED: Posted = { success: false, statusCode: null, error: 'Webhook is disabled', responseTimeMs: null };

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
