import { NewestList } from './newest-list.ts';
import type { Activity, AuditLog, JsonObject } from './shapes.ts';

/** Who calls. */
export interface Caller {
  readonly ip: string;
  readonly userAgent: string | null;
  /** null where it is the service itself. */
  readonly keyId: string | null;
}

export interface AuditedChange {
  readonly activity: Activity;
  readonly caller: Caller;
  readonly webhookId?: string;
  readonly campaignId?: string | null;
  readonly metadata?: JsonObject;
}

export interface AuditFilter {
  readonly activityType: number | undefined;
  readonly search: string | undefined;
  /** Epoch milliseconds, both inclusive. */
  readonly from: number;
  readonly until: number;
}

export interface AuditOwner {
  readonly workspaceId: string;
  readonly userId: string;
  readonly userName: string;
}

const LIMIT = 100_000;

/** What the service does by itself. */
export const SERVICE: Caller = { ip: '127.0.0.1', userAgent: null, keyId: null };

/** The workspace's activities. */
export class AuditTrail {
  readonly #entries = new NewestList<AuditLog>(LIMIT);
  readonly #owner: AuditOwner;
  readonly #newId: () => string;
  readonly #isoNow: () => string;

  constructor(owner: AuditOwner, newId: () => string, isoNow: () => string) {
    this.#owner = owner;
    this.#newId = newId;
    this.#isoNow = isoNow;
  }

  record({ activity, caller, webhookId, campaignId, metadata }: AuditedChange): void {
    const fromApi = caller.keyId !== null;
    this.#entries.add({
      id: this.#newId(),
      timestamp: this.#isoNow(),
      organization_id: this.#owner.workspaceId,
      activity_type: activity,
      user_agent: caller.userAgent,
      user_id: fromApi ? this.#owner.userId : null,
      user_name: fromApi ? this.#owner.userName : null,
      ip_address: caller.ip,
      from_api: fromApi,
      api_key_id: caller.keyId,
      affected_count: 1,
      campaign_id: campaignId ?? null,
      webhook_id: webhookId ?? null,
      subsequence_id: null,
      list_id: null,
      audit_metadata: metadata ?? {},
    });
  }

  *newestFirst({ activityType, search, from, until }: AuditFilter): Generator<AuditLog> {
    const term = search?.toLowerCase();
    for (const entry of this.#entries.newestFirst()) {
      const time = Date.parse(entry.timestamp);
      if (time < from || time > until) continue;
      if (activityType !== undefined && entry.activity_type !== activityType) continue;
      if (term !== undefined && !searchable(entry).includes(term)) continue;
      yield entry;
    }
  }

  all(): AuditLog[] {
    return this.#entries.oldestFirst();
  }
}

function searchable(entry: AuditLog): string {
  return [entry.user_name, entry.ip_address, entry.user_agent, entry.webhook_id, JSON.stringify(entry.audit_metadata)]
    .join('\n')
    .toLowerCase();
}
