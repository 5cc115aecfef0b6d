import { z } from 'zod';

// Instantly may add fields at any time, so every object is a loose one; and only what is used is asked for, since a field
// that is missing must not take the others with it.

const time = z.string();
const id = z.string().min(1).max(200);

export const webhook = z.looseObject({
  id,
  name: z.string().nullish(),
  target_hook_url: z.string(),
  event_type: z.string().nullish(),
  campaign: z.string().nullish(),
  custom_interest_value: z.number().nullish(),
  headers: z.record(z.string(), z.unknown()).nullish(),
  /** 1: active, -1: disabled after failures. */
  status: z.number().nullish(),
  timestamp_created: time.nullish(),
  timestamp_error: time.nullish(),
});
export type Webhook = z.output<typeof webhook>;

/** One attempt to deliver. */
export const webhookEvent = z.looseObject({
  id,
  timestamp_created: time.nullish(),
  success: z.boolean().nullish(),
  webhook_url: z.string().nullish(),
  retry_group_id: z.string().nullish(),
  retry_successful: z.boolean().nullish(),
  payload: z.unknown().optional(),
});
export type WebhookEvent = z.output<typeof webhookEvent>;

export const testResult = z.looseObject({
  success: z.boolean(),
  message: z.string().nullish(),
  status_code: z.number().nullish(),
  error: z.unknown().optional(),
});
export type TestResult = z.output<typeof testResult>;

export const apiKey = z.looseObject({
  id,
  name: z.string().nullish(),
  scopes: z.array(z.string()),
  key: z.string().nullish(),
  timestamp_created: time.nullish(),
});
export type ListedApiKey = z.output<typeof apiKey>;

export const workspace = z.looseObject({ id, name: z.string().nullish() });
export type Workspace = z.output<typeof workspace>;

/** What was sent on a day, whether or not a webhook told of it. */
export const dailyAnalytics = z.array(z.looseObject({ date: z.string().nullish(), sent: z.number().nullish() }));
export type DailyAnalytics = z.output<typeof dailyAnalytics>;

export const auditLog = z.looseObject({
  id,
  timestamp: time,
  activity_type: z.number().nullish(),
  user_id: z.string().nullish(),
  user_name: z.string().nullish(),
  ip_address: z.string().nullish(),
  from_api: z.boolean().nullish(),
  api_key_id: z.string().nullish(),
  webhook_id: z.string().nullish(),
  /** Whatever belongs to the activity. */
  audit_metadata: z.record(z.string(), z.unknown()).nullish(),
});
export type AuditLog = z.output<typeof auditLog>;

export const eventTypes = z.looseObject({
  event_types: z.array(z.looseObject({ id: z.unknown().optional(), label: z.string(), type: z.string().nullish() })),
});

/** A cursor can come back even on the last page; the end is a page without items. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.looseObject({ items: z.array(item), next_starting_after: z.string().nullish() });

/** As Instantly answers it. */
export interface ListedPage<Item> {
  readonly items: readonly Item[];
  readonly next_starting_after?: string | null | undefined;
}

/** Without which an attempt tells nothing. One that lacks it is odd, and passed over; a page that lacks it throughout is no answer. */
const TELLING = ['webhook_url', 'payload', 'timestamp_created'] as const;

export const webhookEventPage = pageOf(webhookEvent).superRefine(({ items }, context) => {
  for (const field of TELLING) {
    if (items.length > 0 && items.every((item) => item[field] === undefined)) {
      context.addIssue({ code: 'custom', path: ['items', 0, field], message: 'is missing' });
    }
  }
});

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | undefined;
}
