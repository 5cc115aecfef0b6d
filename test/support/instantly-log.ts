import { newId } from '../../src/audit/new-id.ts';
import { commitTo } from '../../src/cli/commit-to.ts';
import { Inbox } from '../../src/inbox/accept.ts';
import type { Store, StoredEvent } from '../../src/inbox/store.ts';
import { InstantlyApiError } from '../../src/instantly/api-error.ts';
import type { InstantlyReader, WebhookEventQuery } from '../../src/instantly/reader.ts';
import type { ReconcileOptions } from '../../src/instantly/reconcile-options.ts';
import type { WebhookEvent } from '../../src/instantly/schemas.ts';

export const OUR_URL = 'https://hooks.example.com/webhooks/instantly';
export const RETENTION_MS = 30 * 86_400_000;

let made = 0;

/** One attempt that failed at `at`, epoch milliseconds, unless told otherwise. */
export function attempt(at: number, more: Partial<WebhookEvent> = {}): WebhookEvent {
  made += 1;
  const id = newId();
  return {
    id,
    timestamp_created: new Date(at).toISOString(),
    success: false,
    webhook_url: OUR_URL,
    retry_group_id: id,
    payload: { event_type: 'email_sent', timestamp: new Date(at).toISOString(), n: made },
    ...more,
  };
}

export interface Log extends Pick<InstantlyReader, 'webhookEvents' | 'unreadable'> {
  /** In the order in which they are told. */
  items: readonly WebhookEvent[];
  readonly queries: WebhookEventQuery[];
  /** Ids of what was read. */
  readonly read: Set<string>;
  clockAheadMs: number;
}

/** A delivery log that is told page by page, with a cursor even at its end. */
export function logOf(items: readonly WebhookEvent[], pageSize = 5): Log {
  const log: Log = {
    items,
    queries: [],
    read: new Set(),
    clockAheadMs: 0,
    webhookEvents: async (query) => {
      log.queries.push(query);
      const matching = log.items.filter((item) => query.success === undefined || item.success === query.success);
      const from =
        query.startingAfter === undefined ? 0 : matching.findIndex(({ id }) => id === query.startingAfter) + 1;
      const page = matching.slice(from, from + pageSize);
      for (const { id } of page) log.read.add(id);
      return { items: page, odd: [], next: page.at(-1)?.id };
    },
    unreadable: (operation, field) =>
      new InstantlyApiError({
        failure: 'unreadable',
        operation,
        setting: 'INSTANTLY_READ_KEY',
        status: 200,
        detail: field,
      }),
  };
  return log;
}

/** Everything of a run but its log, over all of time. */
export function runOptions(store: Store, more: Partial<ReconcileOptions> = {}): Omit<ReconcileOptions, 'reader'> {
  return {
    store,
    inbox: inboxOf(store),
    url: OUR_URL,
    search: OUR_URL,
    window: { mode: 'failed', from: 0, to: Number.MAX_SAFE_INTEGER / 2 },
    includeSucceeded: false,
    dryRun: false,
    known: new Set(),
    maxPages: 1_000,
    withinMs: 60_000,
    onPage: () => undefined,
    onAccepted: () => undefined,
    signal: new AbortController().signal,
    ...more,
  };
}

export function inboxOf(store: Store): Inbox {
  return new Inbox({ commits: commitTo(store, 100), handlers: () => [], retentionMs: RETENTION_MS });
}

export function storedEvents(store: Store): Promise<StoredEvent[]> {
  return store.listEvents({ limit: 100_000 });
}
