import type { AuditEntry } from '../audit/entry.ts';
import { ACTIVITIES, WEBHOOK_DISABLED } from './activities.ts';
import type { AuditLog } from './schemas.ts';

/** Milliseconds by which the time of a call and that of what it did may differ beyond its own duration. */
export const APART_MS = 5_000;

/** By activity, the calls of ours that have it logged. None of ours makes a key. A deletion is logged as an update. */
const CAUSES: Readonly<Record<number, readonly string[]>> = {
  18: ['webhooks.create'],
  19: ['webhooks.update', 'webhooks.delete'],
  21: ['webhooks.resume'],
  37: [],
  38: ['api-keys.delete'],
};

/** Instantly may have done what was asked though the answer was lost. */
const MAY_HAVE_WORKED: readonly unknown[] = ['ok', 'timeout', 'server', 'unreachable', 'unreadable', 'aborted'];

export type Verdict =
  | 'ours'
  | 'someone else'
  /** It did that by itself. */
  | 'instantly'
  /** It is not about webhooks or keys. */
  | 'not ours to tell';

export interface CorrelatedActivity {
  readonly activity: AuditLog;
  /** Epoch milliseconds by our clock. */
  readonly at: number;
  /** In words. */
  readonly what: string;
  readonly verdict: Verdict;
  /** Our entry that explains it. */
  readonly explainedBy: string | null;
}

export interface CorrelateOptions {
  readonly activities: readonly AuditLog[];
  /** Of ours, in any order, others among them. */
  readonly entries: readonly AuditEntry[];
  /** Instantly's clock minus ours, milliseconds. */
  readonly clockAheadMs: number;
  /** The ids of our keys at Instantly; empty: they are not known. */
  readonly ownKeyIds: readonly string[];
}

interface Call {
  readonly entry: AuditEntry;
  readonly operation: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Holds what Instantly says was done to webhooks and keys against the calls that we have logged. A call explains one activity
 * of its kind at its time, and none that was not done with our key; those nearest to each other in time belong together.
 *
 * @returns the oldest first; those of one instant by their ids, of which the older is the smaller where they are of UUID version 7
 */
export function correlateLogs(options: CorrelateOptions): CorrelatedActivity[] {
  const timed = options.activities
    .map((activity) => ({ activity, at: Date.parse(activity.timestamp) - options.clockAheadMs }))
    .toSorted((a, b) => a.at - b.at || (a.activity.id < b.activity.id ? -1 : 1));
  const causes = pair(timed, options.entries.flatMap(asCall), options.ownKeyIds);
  const correlated = timed.map(({ activity, at }): CorrelatedActivity => {
    const cause = causes.get(activity);
    return {
      activity,
      // Our own call knows better than two clocks when it was.
      at: cause === undefined ? at : Math.min(Math.max(at, cause.from), cause.to),
      what: describe(activity),
      verdict: judgeAlone(activity) ?? (cause === undefined ? 'someone else' : 'ours'),
      explainedBy: cause?.entry.id ?? null,
    };
  });
  return correlated.toSorted((a, b) => a.at - b.at);
}

interface Timed {
  readonly activity: AuditLog;
  readonly at: number;
}

function pair(timed: readonly Timed[], calls: readonly Call[], ownKeyIds: readonly string[]): Map<AuditLog, Call> {
  const byOperation = Map.groupBy(calls, ({ operation }) => operation);
  const candidates = timed
    .filter(({ activity }) => mayBeOurs(activity, ownKeyIds))
    .flatMap(({ activity, at }) =>
      (CAUSES[activity.activity_type ?? 0] ?? [])
        .flatMap((operation) => byOperation.get(operation) ?? [])
        .map((call) => ({ activity, call, apart: Math.max(call.from - at, at - call.to, 0) }))
        .filter(({ apart }) => apart <= APART_MS),
    )
    .toSorted((a, b) => a.apart - b.apart);
  const causes = new Map<AuditLog, Call>();
  const used = new Set<Call>();
  for (const { activity, call } of candidates) {
    if (causes.has(activity) || used.has(call)) continue;
    causes.set(activity, call);
    used.add(call);
  }
  return causes;
}

function mayBeOurs({ from_api: fromApi, api_key_id: keyId }: AuditLog, ownKeyIds: readonly string[]): boolean {
  return fromApi !== false && (!keyId || ownKeyIds.length === 0 || ownKeyIds.includes(keyId));
}

/** `undefined`: it depends on our calls. */
function judgeAlone({ activity_type: type }: AuditLog): Verdict | undefined {
  if (type === WEBHOOK_DISABLED) return 'instantly';
  return type !== null && type !== undefined && type in CAUSES ? undefined : 'not ours to tell';
}

function asCall(entry: AuditEntry): Call[] {
  const { operation, reason, durationMs } = entry.metadata;
  if (entry.action !== 'instantly.api.call' || typeof operation !== 'string' || !MAY_HAVE_WORKED.includes(reason)) {
    return [];
  }
  const from = Date.parse(entry.timestamp);
  return [{ entry, operation, from, to: from + (typeof durationMs === 'number' ? durationMs : 0) }];
}

function describe({ activity_type: type, audit_metadata: metadata }: AuditLog): string {
  if (metadata?.['deleted'] === true && type === 19) return 'webhook deleted';
  return ACTIVITIES[type ?? 0] ?? `activity ${type ?? 'unknown'}`;
}
