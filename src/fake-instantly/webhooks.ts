import { ApiError, notFound } from './api-error.ts';
import { type AuditTrail, type Caller, SERVICE } from './audit-log.ts';
import { ACTIVITIES, type Webhook, type WebhookDraft } from './shapes.ts';

const MAX_WEBHOOKS = 1_000;

interface Kept {
  webhook: Webhook;
  /** Deliveries given up since the last that succeeded. */
  failures: number;
}

export interface WebhooksOptions {
  readonly workspaceId: string;
  readonly newId: () => string;
  readonly isoNow: () => string;
  readonly audit: AuditTrail;
}

/** The workspace's webhooks. */
export class Webhooks {
  readonly #kept = new Map<string, Kept>();
  readonly #options: WebhooksOptions;
  readonly #onStopped: ((id: string) => void)[] = [];

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /** @param listener is told the id of each webhook that is disabled or deleted */
  onStopped(listener: (id: string) => void): void {
    this.#onStopped.push(listener);
  }

  create(draft: WebhookDraft, caller: Caller): Webhook {
    if (this.#kept.size >= MAX_WEBHOOKS) throw new ApiError(400, 'Too many webhooks');
    const webhook: Webhook = {
      id: this.#options.newId(),
      organization: this.#options.workspaceId,
      campaign: null,
      name: null,
      event_type: null,
      custom_interest_value: null,
      headers: null,
      ...draft,
      timestamp_created: this.#options.isoNow(),
      status: 1,
      timestamp_error: null,
    };
    this.#kept.set(webhook.id, { webhook, failures: 0 });
    this.#record(ACTIVITIES.webhookCreated, webhook, caller, { keys: Object.keys(draft) });
    return webhook;
  }

  /** @throws ApiError 404 */
  get(id: string): Webhook {
    return this.#find(id).webhook;
  }

  find(id: string): Webhook | undefined {
    return this.#kept.get(id)?.webhook;
  }

  patch(id: string, changes: Partial<WebhookDraft>, caller: Caller): Webhook {
    const kept = this.#find(id);
    kept.webhook = { ...kept.webhook, ...changes };
    this.#record(ACTIVITIES.webhookUpdated, kept.webhook, caller, { keys: Object.keys(changes) });
    return kept.webhook;
  }

  delete(id: string, caller: Caller): Webhook {
    const { webhook } = this.#find(id);
    this.#kept.delete(webhook.id);
    // No published activity says "webhook deleted".
    this.#record(ACTIVITIES.webhookUpdated, webhook, caller, { deleted: true });
    this.#tellStopped(webhook.id);
    return webhook;
  }

  resume(id: string, caller: Caller): Webhook {
    const kept = this.#find(id);
    kept.webhook = { ...kept.webhook, status: 1, timestamp_error: null };
    kept.failures = 0;
    this.#record(ACTIVITIES.webhookResumed, kept.webhook, caller);
    return kept.webhook;
  }

  disable(id: string): Webhook {
    const kept = this.#find(id);
    if (kept.webhook.status === -1) return kept.webhook;
    kept.webhook = { ...kept.webhook, status: -1, timestamp_error: this.#options.isoNow() };
    this.#record(ACTIVITIES.webhookError, kept.webhook, SERVICE, { failures: kept.failures });
    this.#tellStopped(kept.webhook.id);
    return kept.webhook;
  }

  countSuccess(id: string): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined) kept.failures = 0;
  }

  /** @param limit so many failed deliveries in a row disable the webhook */
  countFailure(id: string, limit: number): void {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.webhook.status === -1) return;
    kept.failures += 1;
    if (kept.failures >= limit) this.disable(id);
  }

  oldestFirst(): Webhook[] {
    return [...this.#kept.values()].map(({ webhook }) => webhook);
  }

  newestFirst(): Webhook[] {
    return this.oldestFirst().reverse();
  }

  #find(id: string): Kept {
    const kept = this.#kept.get(id.toLowerCase());
    if (kept === undefined) throw notFound();
    return kept;
  }

  #tellStopped(id: string): void {
    for (const listener of this.#onStopped) listener(id);
  }

  #record(
    activity: Parameters<AuditTrail['record']>[0]['activity'],
    { id, campaign }: Webhook,
    caller: Caller,
    metadata: Readonly<Record<string, unknown>> = {},
  ): void {
    this.#options.audit.record({ activity, caller, webhookId: id, campaignId: campaign, metadata });
  }
}
