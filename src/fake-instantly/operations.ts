import type { Schema } from './check-schema.ts';
import { BODIES, QUERIES } from './schemas.ts';

export interface OperationRules {
  /** `resource:action`; the wildcards follow from it. */
  readonly scope: string;
  /** Answered with 402 on a plan without webhooks. */
  readonly needsWebhooks: boolean;
  readonly query: Schema;
  /** Absent where the document knows no body: one is then read and ignored. */
  readonly body?: Schema;
}

const webhooks = (scope: string, query: Schema, body?: Schema): OperationRules => ({
  scope,
  needsWebhooks: true,
  query,
  ...(body === undefined ? {} : { body }),
});

const other = (scope: string, query: Schema, body?: Schema): OperationRules => ({
  ...webhooks(scope, query, body),
  needsWebhooks: false,
});

/** By method and path below /api/v2. */
export const OPERATIONS = {
  'GET /webhooks': webhooks('webhooks:read', QUERIES.webhooks),
  'POST /webhooks': webhooks('webhooks:create', QUERIES.none, BODIES.createWebhook),
  'GET /webhooks/event-types': webhooks('webhooks:read', QUERIES.none),
  'GET /webhooks/{id}': webhooks('webhooks:read', QUERIES.none),
  'PATCH /webhooks/{id}': webhooks('webhooks:update', QUERIES.none, BODIES.patchWebhook),
  'DELETE /webhooks/{id}': webhooks('webhooks:delete', QUERIES.none, BODIES.none),
  'POST /webhooks/{id}/test': webhooks('webhooks:update', QUERIES.none),
  'POST /webhooks/{id}/resume': webhooks('webhooks:update', QUERIES.none),
  'GET /webhook-events': webhooks('webhook_events:read', QUERIES.webhookEvents),
  'GET /webhook-events/summary': webhooks('webhook_events:read', QUERIES.window),
  'GET /webhook-events/summary-by-date': webhooks('webhook_events:read', QUERIES.window),
  'GET /webhook-events/{id}': webhooks('webhook_events:read', QUERIES.none),
  'GET /api-keys': other('api_keys:read', QUERIES.page),
  'POST /api-keys': other('api_keys:create', QUERIES.none, BODIES.createApiKey),
  'DELETE /api-keys/{id}': other('api_keys:delete', QUERIES.none, BODIES.none),
  // Its page names no scope; those of the other campaign analytics are these.
  'GET /campaigns/analytics/daily': other('campaigns:read', QUERIES.daily),
  'GET /audit-logs': other('audit_logs:read', QUERIES.auditLogs),
  'GET /workspaces/current': other('workspaces:read', QUERIES.none),
} as const satisfies Readonly<Record<string, OperationRules>>;

export type Operation = keyof typeof OPERATIONS;

export function isOperation(name: string): name is Operation {
  return Object.hasOwn(OPERATIONS, name);
}

/** What a method and a path below /api/v2 ask for, and the id in it. */
export function findOperation(method: string, path: string): { operation: Operation; id: string } | undefined {
  const whole = `${method} ${path}`;
  if (isOperation(whole) && !whole.includes('{')) return { operation: whole, id: '' };
  const [, collection, id, verb] = /^(\/[^/]+)\/([^/]+)(\/[^/]+)?$/.exec(path) ?? [];
  if (collection === undefined || id === undefined) return undefined;
  const name = `${method} ${collection}/{id}${verb ?? ''}`;
  return isOperation(name) ? { operation: name, id } : undefined;
}
