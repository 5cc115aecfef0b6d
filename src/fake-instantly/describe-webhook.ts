import type { Webhook } from './shapes.ts';

/**
 * As an answer has it. The published schema lets `event_type` be null by its type and not by its list of values, so that
 * the one form which all readings of it allow is to leave the key out.
 */
export function describeWebhook({ event_type: type, ...rest }: Webhook): Readonly<Record<string, unknown>> {
  return type === null ? rest : { ...rest, event_type: type };
}
