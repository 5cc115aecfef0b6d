import type { Subscription } from '../events/names.ts';

/*
 * What Instantly's API v2 answers with, as its OpenAPI document of August 2026 has it: names, types, and what may be null.
 * Every answer of those schemas forbids further keys.
 */

/** As JSON gives it. */
export type JsonObject = Readonly<Record<string, unknown>>;

export interface Webhook {
  readonly id: string;
  /** The workspace's id. */
  readonly organization: string;
  readonly campaign: string | null;
  readonly name: string | null;
  readonly target_hook_url: string;
  readonly event_type: Subscription | null;
  /** The `interest_status` of a workspace's own label. */
  readonly custom_interest_value: number | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly timestamp_created: string;
  /** 1 active, -1 disabled after failures. */
  readonly status: 1 | -1;
  readonly timestamp_error: string | null;
}

/** The keys of a webhook that its owner may write. */
export type WebhookDraft = Pick<Webhook, 'target_hook_url'> &
  Partial<Pick<Webhook, 'campaign' | 'name' | 'event_type' | 'custom_interest_value' | 'headers'>>;

/** One attempt at a delivery. */
export interface WebhookEvent {
  readonly id: string;
  readonly timestamp_created: string;
  /** YYYY-MM-DD, UTC. */
  readonly timestamp_created_date: string;
  readonly organization_id: string;
  readonly payload: JsonObject;
  readonly success: boolean;
  /** Attempts before this one. */
  readonly retry_count: number;
  readonly will_retry: boolean;
  readonly webhook_url: string;
  /** null where nothing answered. */
  readonly status_code: number | null;
  readonly error_message: string | null;
  readonly timestamp_next_retry: string | null;
  /** The same for all attempts of one delivery. */
  readonly retry_group_id: string;
  /** Whether a retry of this delivery succeeded; null while none has ended. */
  readonly retry_successful: boolean | null;
  readonly lead_email: string | null;
  readonly response_time_ms: number | null;
}

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Whole when it is made, masked ever after. */
  readonly key: string;
  readonly organization_id: string;
  readonly timestamp_created: string;
  readonly timestamp_updated: string;
}

/** The published numbers of the activities this service can have; it has none for a webhook's deletion. */
export const ACTIVITIES = {
  webhookCreated: 18,
  webhookUpdated: 19,
  webhookError: 20,
  webhookResumed: 21,
  keyCreated: 37,
  keyDeleted: 38,
} as const;

export type Activity = (typeof ACTIVITIES)[keyof typeof ACTIVITIES];

export interface AuditLog {
  readonly id: string;
  readonly timestamp: string;
  readonly organization_id: string;
  readonly activity_type: Activity;
  readonly user_agent: string | null;
  readonly user_id: string | null;
  readonly user_name: string | null;
  readonly ip_address: string;
  readonly from_api: boolean;
  readonly api_key_id: string | null;
  readonly affected_count: number | null;
  readonly campaign_id: string | null;
  readonly webhook_id: string | null;
  readonly subsequence_id: string | null;
  readonly list_id: string | null;
  readonly audit_metadata: JsonObject;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent, never null, where there is none. */
  readonly next_starting_after?: string;
}

/** A workspace's own label for leads. */
export interface Label {
  readonly interest_status: number;
  /** What stands in a payload's `event_type`. */
  readonly label: string;
}

export const DAILY_COUNTS = [
  'sent',
  'contacted',
  'new_leads_contacted',
  'opened',
  'unique_opened',
  'replies',
  'unique_replies',
  'replies_automatic',
  'unique_replies_automatic',
  'clicks',
  'unique_clicks',
  'opportunities',
  'unique_opportunities',
] as const;

export type DailyCount = (typeof DAILY_COUNTS)[number];

export type DailyAnalytics = { readonly date: string } & Readonly<Record<DailyCount, number>>;

/**
 * `hypergrowth` has webhooks, `growth` has not, `none` is a workspace that does not pay: everything answers 402.
 */
export type Plan = 'hypergrowth' | 'growth' | 'none';
