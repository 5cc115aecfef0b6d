import { lacksScope } from '../../instantly/api-error.ts';
import type { InstantlyReader } from '../../instantly/reader.ts';

/** An address that no webhook has: its deliveries, which would be people's mail, are none. */
const NOBODY = 'https://receiver.invalid/';

export interface ProbedScopes {
  readonly lacking: readonly string[];
  readonly allowed: readonly string[];
}

/**
 * Reads the least that each scope is needed for: whoever lacks it is refused. Where a read fails otherwise, nothing is told of it.
 *
 * @param scopes of reading; one that nothing harmless can be read with is told nothing of
 */
export async function probeScopes(
  reader: InstantlyReader,
  scopes: readonly string[],
  signal: AbortSignal,
): Promise<ProbedScopes> {
  const today = new Date().toISOString().slice(0, 10);
  const probes: Readonly<Record<string, () => Promise<unknown>>> = {
    'webhooks:read': () => reader.eventTypes(signal),
    'webhook_events:read': () => reader.webhookEvents({ from: today, to: today, search: NOBODY }, signal),
    'campaigns:read': () => reader.dailyAnalytics(today, today, signal),
    'audit_logs:read': () => reader.auditLogs({ startDate: today, endDate: today }, signal),
    'api_keys:read': () => reader.apiKeys(signal),
  };
  const lacking: string[] = [];
  const allowed: string[] = [];
  for (const scope of scopes) {
    const probe = probes[scope];
    if (probe === undefined) continue;
    try {
      await probe();
      allowed.push(scope);
    } catch (error) {
      signal.throwIfAborted();
      if (lacksScope(error)) lacking.push(scope);
    }
  }
  return { lacking, allowed };
}
