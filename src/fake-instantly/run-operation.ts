import { notFound } from './api-error.ts';
import type { NewKey } from './api-keys.ts';
import type { Caller } from './audit-log.ts';
import { percentage } from './delivery-log.ts';
import { describeWebhook } from './describe-webhook.ts';
import { listEventTypes } from './list-event-types.ts';
import { makePage } from './make-page.ts';
import type { Operation } from './operations.ts';
import { booleanOf, numberOf, type Query, textOf } from './read-query.ts';
import { readRange } from './read-range.ts';
import type { Service } from './service.ts';
import type { Page, WebhookDraft } from './shapes.ts';
import { testWebhook } from './test-webhook.ts';
import { describeWorkspace } from './workspace.ts';

/** Checked against the operation's schemas already. */
export interface Request {
  readonly id: string;
  readonly query: Query;
  readonly body: unknown;
  readonly caller: Caller;
  /** Of the header that an agency acts on a sub-workspace by; there is one workspace here, so it is named and nothing else. */
  readonly workspaceId: string | undefined;
}

type Run = (service: Service, request: Request) => unknown;

/** What each operation answers with 200. */
export const RUN: Readonly<Record<Operation, Run>> = {
  'GET /webhooks': (service, { query }) => {
    const campaign = textOf(query, 'campaign')?.toLowerCase();
    const type = textOf(query, 'event_type');
    const matching = service.webhooks
      .newestFirst()
      .filter((webhook) => campaign === undefined || webhook.campaign?.toLowerCase() === campaign)
      .filter((webhook) => type === undefined || webhook.event_type === type);
    const page = pageOf(service, matching, query);
    return { ...page, items: page.items.map(describeWebhook) };
  },
  'POST /webhooks': ({ webhooks }, { body, caller }) =>
    // As its schema has proven.
    describeWebhook(webhooks.create(body as WebhookDraft, caller)),
  'GET /webhooks/event-types': ({ labels }) => listEventTypes(labels),
  'GET /webhooks/{id}': ({ webhooks }, { id }) => describeWebhook(webhooks.get(id)),
  'PATCH /webhooks/{id}': ({ webhooks }, { id, body, caller }) =>
    describeWebhook(webhooks.patch(id, body as Partial<WebhookDraft>, caller)),
  'DELETE /webhooks/{id}': ({ webhooks }, { id, caller }) => describeWebhook(webhooks.delete(id, caller)),
  'POST /webhooks/{id}/test': ({ webhooks, poster, owner }, { id }) =>
    testWebhook(webhooks.get(id), poster, owner.workspaceId),
  'POST /webhooks/{id}/resume': ({ webhooks }, { id, caller }) => describeWebhook(webhooks.resume(id, caller)),
  'GET /webhook-events': (service, { query }) => {
    const search = textOf(query, 'search');
    const entries = service.log.newestFirst({ ...windowOf(query), success: booleanOf(query, 'success'), search });
    return pageOf(service, entries, query);
  },
  'GET /webhook-events/summary': ({ log }, { query }) => {
    const summary = log.summarise(windowOf(query));
    return { ...summary, failure_rate: percentage(summary.failed_events, summary.total_events) };
  },
  'GET /webhook-events/summary-by-date': ({ log }, { query }) => ({ items: log.summariseByDate(windowOf(query)) }),
  'GET /webhook-events/{id}': ({ log }, { id }) => {
    const entry = log.find(id);
    if (entry === undefined) throw notFound();
    return entry;
  },
  'GET /api-keys': (service, { query }) => pageOf(service, service.keys.newestFirst(), query),
  'POST /api-keys': ({ keys }, { body, caller }) => keys.create(body as NewKey, caller),
  'DELETE /api-keys/{id}': ({ keys }, { id, caller }) => keys.delete(id, caller),
  'GET /campaigns/analytics/daily': ({ analytics }, { query }) => {
    const { from, until } = readRange(query, false);
    const status = numberOf(query, 'campaign_status');
    // Every campaign there is is active.
    return status === undefined || status === 1 ? analytics.list(textOf(query, 'campaign_id'), from, until) : [];
  },
  'GET /audit-logs': (service, { query }) => {
    const activityType = numberOf(query, 'activity_type');
    const filter = { activityType, search: textOf(query, 'search'), ...readRange(query, true) };
    return pageOf(service, service.audit.newestFirst(filter), query);
  },
  'GET /workspaces/current': ({ owner, plan, created }, { workspaceId = owner.workspaceId }) =>
    describeWorkspace({ ...owner, workspaceId }, plan, created),
};

function pageOf<T extends { readonly id: string }>(
  { cursorAtEnd }: Service,
  newestFirst: Iterable<T>,
  query: Query,
): Page<T> {
  const pageQuery = { limit: numberOf(query, 'limit'), starting_after: textOf(query, 'starting_after') };
  return makePage(newestFirst, pageQuery, cursorAtEnd);
}

function windowOf(query: Query): { from: string | undefined; to: string | undefined } {
  return { from: textOf(query, 'from'), to: textOf(query, 'to') };
}
