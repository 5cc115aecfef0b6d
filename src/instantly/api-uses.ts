import type { KeyPurpose } from '../config/settings.ts';
import { isReadOperation, OPERATIONS, type OperationName } from './operations.ts';

export interface ApiUse {
  readonly operations: readonly OperationName[];
  /**
   * What it means to be without the scope: the service cannot do its work, a command cannot be used, or a command does without
   * it as well as it can.
   */
  readonly lack: 'service' | 'command' | 'bearable';
}

/** Everything that calls Instantly's API, by its command or by what the service does. */
export const API_USES = {
  'the watch of the service': {
    operations: ['webhooks.list', 'webhook-events.list', 'analytics.daily'],
    lack: 'service',
  },
  'resuming by the service (INSTANTLY_AUTO_RESUME)': { operations: ['webhooks.resume'], lack: 'service' },
  'webhooks list': { operations: ['webhooks.list'], lack: 'command' },
  'webhooks register': {
    operations: [
      'webhooks.list',
      'webhooks.event-types',
      'webhooks.create',
      'webhooks.update',
      'webhooks.resume',
      'webhooks.test',
    ],
    lack: 'command',
  },
  'webhooks test': { operations: ['webhooks.list', 'webhooks.get', 'webhooks.test'], lack: 'command' },
  'webhooks resume': { operations: ['webhooks.list', 'webhooks.get', 'webhooks.resume'], lack: 'command' },
  'webhooks delete': { operations: ['webhooks.get', 'webhooks.delete'], lack: 'command' },
  'secrets rotate': { operations: ['webhooks.list', 'webhooks.update', 'webhooks.test'], lack: 'command' },
  'secrets rotate --api-key': {
    operations: ['workspaces.current', 'api-keys.list', 'api-keys.delete'],
    lack: 'bearable',
  },
  reconcile: { operations: ['webhook-events.list', 'webhooks.list'], lack: 'command' },
  'audit correlate': { operations: ['audit-logs.list', 'api-keys.list'], lack: 'command' },
  'which scopes were used (the service, doctor)': {
    operations: ['audit-logs.list', 'api-keys.list'],
    lack: 'bearable',
  },
  doctor: { operations: ['webhooks.list', 'api-keys.list'], lack: 'command' },
} as const satisfies Record<string, ApiUse>;

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
