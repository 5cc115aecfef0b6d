import { z } from 'zod';

// Instantly may add fields at any time, so every object is a loose one; and only what is used is asked for, since a field
// that is missing must not take the others with it. One of another type than published counts as not told, where the rest is
// of use without it.

const text = z.string().nullish().catch(null);
const number = z.number().nullish().catch(null);
const flag = z.boolean().nullish().catch(null);
const time = z.union([z.string(), z.number().transform(String)]);
const told = time.nullish().catch(null);
const id = z.union([z.string(), z.number().transform(String)]).pipe(z.string().min(1).max(200));

export const webhook = z.looseObject({
  id,
  name: text,
  /** Empty: nowhere. */
  target_hook_url: z
    .string()
    .nullable()
    .transform((url) => url ?? ''),
  event_type: text,
  campaign: text,
  custom_interest_value: number,
  /** Null: there are none; absent: they are not told. */
  headers: z.record(z.string(), z.unknown()).nullish().catch(null),
  /** 1: active, -1: disabled after failures. */
  status: number,
  timestamp_created: told,
  timestamp_error: told,
});
export type Webhook = z.output<typeof webhook>;

/** What a change answers: it is done, whatever is told of it. */
export const toldFields = z.looseObject({}).catch({});

/** A webhook with what the answer to a change tells of it; what is absent there is as it was. */
export function withTold(before: Webhook, told: Readonly<Record<string, unknown>>): Webhook {
  const read = webhook.safeParse({ ...before, ...told, id: before.id });
  return read.success ? read.data : before;
}

/** One attempt to deliver. */
export const webhookEvent = z.looseObject({
  id,
  timestamp_created: told,
  success: flag,
  webhook_url: text,
  retry_group_id: text,
  retry_successful: flag,
  payload: z.unknown().optional(),
});
export type WebhookEvent = z.output<typeof webhookEvent>;

/** Every field may be absent: whether the delivery came, our own audit log knows. */
export const testResult = z.looseObject({ success: flag, status_code: number }).catch({});
export type TestResult = z.output<typeof testResult>;

export const apiKey = z.looseObject({
  id,
  name: text,
  scopes: z.array(z.string()).nullish().catch(null),
  key: text,
  timestamp_created: told,
});
export type ListedApiKey = z.output<typeof apiKey>;

export const workspace = z.looseObject({ id: id.nullish().catch(null), name: text });
export type Workspace = z.output<typeof workspace>;

/** What was sent on a day, whether or not a webhook told of it. */
export const dailyAnalytics = z.array(z.looseObject({ date: text, sent: number }));
export type DailyAnalytics = z.output<typeof dailyAnalytics>;

export const auditLog = z.looseObject({
  id,
  timestamp: time,
  activity_type: number,
  user_id: text,
  user_name: text,
  ip_address: text,
  from_api: flag,
  api_key_id: text,
  webhook_id: text,
  /** Whatever belongs to the activity. */
  audit_metadata: z.record(z.string(), z.unknown()).nullish().catch(null),
});
export type AuditLog = z.output<typeof auditLog>;

export const eventTypes = z.looseObject({
  event_types: z
    .array(z.looseObject({ id: z.unknown().optional(), label: text, type: text }).catch({}))
    .nullish()
    .catch(null),
});

export interface Page<Item> {
  readonly items: readonly Item[];
  /** For each item that cannot be used, the field because of which. One odd item must not keep the others away. */
  readonly odd: readonly string[];
  readonly next: string | undefined;
}

/** A cursor can come back even on the last page; the end is a page without items. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z
    .looseObject({ items: z.array(z.unknown()), next_starting_after: z.string().nullish() })
    .transform((page): Page<z.output<Item>> => {
      const items: z.output<Item>[] = [];
      const odd: string[] = [];
      for (const [index, one] of page.items.entries()) {
        const read = item.safeParse(one);
        if (read.success) items.push(read.data);
        else odd.push(['items', index, ...(read.error.issues[0]?.path ?? [])].map(String).join('.'));
      }
      return { items, odd, next: page.next_starting_after ?? undefined };
    });
