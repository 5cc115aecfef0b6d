import type { z } from 'zod';
import { InstantlyApiError } from './api-error.ts';
import type { ReadOperation } from './operations.ts';
import {
  type AuditLog,
  apiKey,
  auditLog,
  type DailyAnalytics,
  dailyAnalytics,
  eventTypes,
  type ListedApiKey,
  type Page,
  pageOf,
  type Webhook,
  type WebhookEvent,
  type Workspace,
  webhook,
  webhookEvent,
  workspace,
} from './schemas.ts';
import type { ServiceAccount } from './service-account.ts';

const PAGE = 100;
const AUDIT_LOGS_PAGE = 1_000;
/** Payloads of some megabytes each are ordinary, so a page may be too large to be read, and then fewer are asked for. */
const EVENTS_PAGES = [25, 5];
const LEAST_EVENTS = 1;
/** Pages of webhooks or keys: far more than a workspace has. */
const MAX_PAGES = 50;

export interface WebhookEventQuery {
  /** `YYYY-MM-DD`, both inclusive. */
  readonly from: string;
  readonly to: string;
  readonly success?: boolean;
  /** A webhook's URL, exactly. */
  readonly search?: string;
  readonly startingAfter?: string;
}

export interface AuditLogQuery {
  /** `YYYY-MM-DD`, both inclusive; of which clock is not published. */
  readonly startDate: string;
  readonly endDate: string;
  readonly startingAfter?: string | undefined;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a key for reading is for. Whoever holds a reader has no way to change anything at Instantly. */
export class InstantlyReader {
  readonly #account: ServiceAccount;

  constructor(account: ServiceAccount) {
    this.#account = account;
  }

  get setting() {
    return this.#account.setting;
  }

  get clockSkewMs() {
    return this.#account.clockSkewMs;
  }

  get clockAheadMs() {
    return this.#account.clockAheadMs;
  }

  webhooks(signal: AbortSignal): Promise<Webhook[]> {
    return this.#all('webhooks.list', webhook, signal);
  }

  webhook(id: string, signal: AbortSignal): Promise<Webhook> {
    return this.#account.call({ operation: 'webhooks.get', id }, webhook, signal);
  }

  /** Standard types and the labels of the workspace. */
  async eventTypes(signal: AbortSignal): Promise<NonNullable<z.output<typeof eventTypes>['event_types']>> {
    return (await this.#account.call({ operation: 'webhooks.event-types' }, eventTypes, signal)).event_types ?? [];
  }

  /** What is odd on it is for the caller to tell of. */
  async webhookEvents(query: WebhookEventQuery, signal: AbortSignal): Promise<Page<WebhookEvent>> {
    const { startingAfter, ...rest } = query;
    const ask = (limit: number): Promise<Page<WebhookEvent>> =>
      this.#page('webhook-events.list', webhookEvent, { ...rest, limit }, startingAfter, signal);
    for (const limit of EVENTS_PAGES) {
      try {
        return await ask(limit);
      } catch (error) {
        if (!(error instanceof InstantlyApiError) || error.failure !== 'too-large') throw error;
      }
    }
    return ask(LEAST_EVENTS);
  }

  apiKeys(signal: AbortSignal): Promise<ListedApiKey[]> {
    return this.#all('api-keys.list', apiKey, signal);
  }

  workspace(signal: AbortSignal): Promise<Workspace> {
    return this.#account.call({ operation: 'workspaces.current' }, workspace, signal);
  }

  /** Of all campaigns; days are `YYYY-MM-DD`, of which Instantly takes the midnight (UTC): the last one is not in. */
  dailyAnalytics(startDate: string, endDate: string, signal: AbortSignal): Promise<DailyAnalytics> {
    const query = { start_date: startDate, end_date: endDate };
    return this.#account.call({ operation: 'analytics.daily', query }, dailyAnalytics, signal);
  }

  /** What was done in the workspace, by whomever. */
  async auditLogs({ startDate, endDate, startingAfter }: AuditLogQuery, signal: AbortSignal): Promise<Page<AuditLog>> {
    const query = { limit: AUDIT_LOGS_PAGE, start_date: startDate, end_date: endDate };
    return this.#usable('audit-logs.list', await this.#page('audit-logs.list', auditLog, query, startingAfter, signal));
  }

  /** Without the key's secret, what to say of an answer that has another shape than is published. */
  unreadable(operation: ReadOperation, field: string): InstantlyApiError {
    const detail = `the field ${field} is missing or has another type`;
    return new InstantlyApiError({ failure: 'unreadable', operation, setting: this.setting, status: 200, detail });
  }

  async #all<Item extends z.ZodType<{ readonly id: string }>>(
    operation: ReadOperation,
    item: Item,
    signal: AbortSignal,
  ): Promise<z.output<Item>[]> {
    const found = new Map<string, z.output<Item>>();
    let after: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const page = this.#usable(operation, await this.#page(operation, item, { limit: PAGE }, after, signal));
      for (const one of page.items) found.set(one.id, one);
      if (page.items.length === 0 || page.next === undefined || page.next === after) break;
      after = page.next;
    }
    return [...found.values()];
  }

  /** What is odd is passed over; a page of nothing else is no answer. */
  #usable<Item>(operation: ReadOperation, page: Page<Item>): Page<Item> {
    const [field] = page.odd;
    if (page.items.length === 0 && field !== undefined) throw this.unreadable(operation, field);
    return page;
  }

  #page<Item extends z.ZodType>(
    operation: ReadOperation,
    item: Item,
    query: Query,
    startingAfter: string | undefined,
    signal: AbortSignal,
  ): Promise<Page<z.output<Item>>> {
    const request = { operation, query: { ...query, starting_after: startingAfter } };
    return this.#account.call(request, pageOf(item), signal);
  }
}
