/** Actions of a scope `resource:action`. */
type Action = 'read' | 'create' | 'update' | 'delete';

export interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below /api/v2; `{id}` stands for the one parameter. The audit names this and never the filled-in path. */
  readonly path: string;
  /** The narrowest scope that allows it. */
  readonly scope: `${string}:${Action}`;
  /** Whether doing it a second time, after an answer that was lost, does no harm. */
  readonly repeatable: boolean;
}

/** Everything of Instantly's API v2 that is used. Source: its OpenAPI document, August 2026. */
export const READ_OPERATIONS = {
  'webhooks.list': { method: 'GET', path: '/webhooks', scope: 'webhooks:read', repeatable: true },
  'webhooks.get': { method: 'GET', path: '/webhooks/{id}', scope: 'webhooks:read', repeatable: true },
  'webhooks.event-types': { method: 'GET', path: '/webhooks/event-types', scope: 'webhooks:read', repeatable: true },
  'webhook-events.list': { method: 'GET', path: '/webhook-events', scope: 'webhook_events:read', repeatable: true },
  'api-keys.list': { method: 'GET', path: '/api-keys', scope: 'api_keys:read', repeatable: true },
  'analytics.daily': {
    method: 'GET',
    path: '/campaigns/analytics/daily',
    scope: 'campaigns:read',
    repeatable: true,
  },
  'audit-logs.list': { method: 'GET', path: '/audit-logs', scope: 'audit_logs:read', repeatable: true },
  'workspaces.current': { method: 'GET', path: '/workspaces/current', scope: 'workspaces:read', repeatable: true },
} as const satisfies Record<string, Operation>;

export const WRITE_OPERATIONS = {
  // Twice would be two webhooks, each delivering every event.
  'webhooks.create': { method: 'POST', path: '/webhooks', scope: 'webhooks:create', repeatable: false },
  'webhooks.update': { method: 'PATCH', path: '/webhooks/{id}', scope: 'webhooks:update', repeatable: true },
  'webhooks.delete': { method: 'DELETE', path: '/webhooks/{id}', scope: 'webhooks:delete', repeatable: true },
  'webhooks.test': { method: 'POST', path: '/webhooks/{id}/test', scope: 'webhooks:update', repeatable: true },
  'webhooks.resume': { method: 'POST', path: '/webhooks/{id}/resume', scope: 'webhooks:update', repeatable: true },
  'api-keys.delete': { method: 'DELETE', path: '/api-keys/{id}', scope: 'api_keys:delete', repeatable: true },
} as const satisfies Record<string, Operation>;

export type ReadOperation = keyof typeof READ_OPERATIONS;
export type WriteOperation = keyof typeof WRITE_OPERATIONS;
export type OperationName = ReadOperation | WriteOperation;

export const OPERATIONS: Readonly<Record<OperationName, Operation>> = { ...READ_OPERATIONS, ...WRITE_OPERATIONS };

export function isReadOperation(name: OperationName): name is ReadOperation {
  return Object.hasOwn(READ_OPERATIONS, name);
}

/** Whether scopes that a key has allow what needs `scope`: itself, its resource's `all`, or the wildcards. */
export function allows(granted: readonly string[], scope: string): boolean {
  const [resource, action] = scope.split(':');
  return [scope, `${resource}:all`, `all:${action}`, 'all:all'].some((one) => granted.includes(one));
}
