import { isReadOperation, OPERATIONS, type OperationName } from './operations.ts';

export interface ApiUse {
  readonly operations: readonly OperationName[];
  /** Whether the service does it by itself: without the scope something is wrong, not just a command that cannot be used. */
  readonly byService: boolean;
}

/** Everything that calls Instantly's API, by its command or by what the service does. */
export const API_USES = {
  'the watch of the service': {
    operations: ['webhooks.list', 'webhook-events.list', 'analytics.daily'],
    byService: true,
  },
  'resuming by the service (INSTANTLY_AUTO_RESUME)': { operations: ['webhooks.resume'], byService: true },
  'webhooks list': { operations: ['webhooks.list'], byService: false },
  'webhooks register': {
    operations: [
      'webhooks.list',
      'webhooks.event-types',
      'webhooks.create',
      'webhooks.update',
      'webhooks.resume',
      'webhooks.test',
    ],
    byService: false,
  },
  'webhooks test': { operations: ['webhooks.list', 'webhooks.get', 'webhooks.test'], byService: false },
  'webhooks resume': { operations: ['webhooks.list', 'webhooks.get', 'webhooks.resume'], byService: false },
  'webhooks delete': { operations: ['webhooks.get', 'webhooks.delete'], byService: false },
  'secrets rotate': { operations: ['webhooks.list', 'webhooks.update', 'webhooks.test'], byService: false },
  reconcile: { operations: ['webhook-events.list'], byService: false },
  'audit correlate': { operations: ['audit-logs.list', 'api-keys.list'], byService: false },
  doctor: { operations: ['webhooks.list', 'api-keys.list'], byService: false },
} as const satisfies Record<string, ApiUse>;

/** What a key is set for. */
export type KeyPurpose = 'reading' | 'writing' | 'both';

/** Of the purpose, by scope: who needs it, those of the service first. */
export function neededScopes(purpose: KeyPurpose): ReadonlyMap<string, readonly string[]> {
  const needed = new Map<string, string[]>();
  for (const [name, { operations }] of Object.entries(API_USES)) {
    for (const operation of operations) {
      if (purpose !== 'both' && isReadOperation(operation) !== (purpose === 'reading')) continue;
      const { scope } = OPERATIONS[operation];
      const users = needed.get(scope) ?? [];
      needed.set(scope, users.includes(name) ? users : [...users, name]);
    }
  }
  return needed;
}
