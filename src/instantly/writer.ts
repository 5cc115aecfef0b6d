import { z } from 'zod';
import { InstantlyApiError } from './api-error.ts';
import { type TestResult, testResult, toldFields, type Webhook, webhook } from './schemas.ts';
import type { ServiceAccount } from './service-account.ts';

/** What can be said of a webhook; the keys of Instantly's body, which takes no others. */
export interface WebhookFields {
  readonly target_hook_url: string;
  readonly name: string;
  /** Absent with a label: the published list of its values lacks null. */
  readonly event_type?: string | null;
  readonly campaign: string | null;
  readonly custom_interest_value: number | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** What an answer tells of a webhook that was changed; every field may be absent. */
type ToldFields = Readonly<Record<string, unknown>>;

/** What a key for writing is for. */
export class InstantlyWriter {
  readonly #account: ServiceAccount;

  constructor(account: ServiceAccount) {
    this.#account = account;
  }

  get setting() {
    return this.#account.setting;
  }

  createWebhook(fields: WebhookFields, signal: AbortSignal): Promise<Webhook> {
    return this.#account.call({ operation: 'webhooks.create', body: fields }, webhook, signal);
  }

  updateWebhook(id: string, fields: Partial<WebhookFields>, signal: AbortSignal): Promise<ToldFields> {
    return this.#account.call({ operation: 'webhooks.update', id, body: fields }, toldFields, signal);
  }

  /** Also where it was gone already. */
  deleteWebhook(id: string, signal: AbortSignal): Promise<void> {
    return this.#delete('webhooks.delete', id, signal);
  }

  testWebhook(id: string, signal: AbortSignal): Promise<TestResult> {
    return this.#account.call({ operation: 'webhooks.test', id }, testResult, signal);
  }

  resumeWebhook(id: string, signal: AbortSignal): Promise<ToldFields> {
    return this.#account.call({ operation: 'webhooks.resume', id }, toldFields, signal);
  }

  deleteApiKey(id: string, signal: AbortSignal): Promise<void> {
    return this.#delete('api-keys.delete', id, signal);
  }

  async #delete(operation: 'webhooks.delete' | 'api-keys.delete', id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#account.call({ operation, id }, z.unknown(), signal);
    } catch (error) {
      // Also what a first attempt has done whose answer was lost.
      if (!(error instanceof InstantlyApiError) || error.failure !== 'not-found') throw error;
    }
  }
}
