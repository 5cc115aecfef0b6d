import { SUBSCRIPTIONS } from '../events/names.ts';
import type { Label } from './shapes.ts';

interface EventType {
  readonly id: string;
  readonly label: string;
  readonly type: 'standard' | 'custom';
}

/** GET /webhooks/event-types. */
export function listEventTypes(labels: readonly Label[]): { readonly event_types: readonly EventType[] } {
  return {
    event_types: [
      ...SUBSCRIPTIONS.map((id): EventType => ({ id, label: titleOf(id), type: 'standard' })),
      ...labels.map(
        ({ interest_status, label }): EventType => ({ id: String(interest_status), label, type: 'custom' }),
      ),
    ],
  };
}

function titleOf(name: string): string {
  return name
    .split('_')
    .map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`)
    .join(' ');
}
