import { z } from 'zod';
import { isLoopbackHost } from '../config/is-loopback.ts';
import { SettingsError } from '../errors/problem.ts';
import { SUBSCRIPTIONS } from '../events/names.ts';
import { isDate } from './check-schema.ts';
import type { SetUp } from './options.ts';
import { SCOPES } from './scopes.ts';

const MAX_LOG = 100_000;
const MAX_TIMEOUT_MS = 600_000;
const MAX_RETRIES = 20;

const uuid = z.guid();
const count = z.int().nonnegative();

const workspace = z.strictObject({
  id: uuid.exactOptional(),
  name: z.string().exactOptional(),
  ownerId: uuid.exactOptional(),
  ownerName: z.string().exactOptional(),
});

const key = z.strictObject({
  name: z.string().min(1),
  scopes: z.array(z.string().refine((scope) => SCOPES.includes(scope), 'is no scope of Instantly')),
  key: z
    .string()
    .regex(/^\S{8,}$/, 'must have 8 characters or more, and no spaces')
    .exactOptional(),
});

const webhook = z.strictObject({
  target_hook_url: z.url({ protocol: /^https?$/ }),
  campaign: uuid.nullable().exactOptional(),
  name: z.string().nullable().exactOptional(),
  event_type: z.enum(SUBSCRIPTIONS).nullable().exactOptional(),
  custom_interest_value: z.number().nullable().exactOptional(),
  headers: z.record(z.string(), z.string()).nullable().exactOptional(),
});

const optionalCount = count.exactOptional();

const day = z.strictObject({
  date: z.string().refine(isDate, 'must be a day such as 2026-11-18'),
  campaign_id: uuid,
  sent: optionalCount,
  contacted: optionalCount,
  new_leads_contacted: optionalCount,
  opened: optionalCount,
  unique_opened: optionalCount,
  replies: optionalCount,
  unique_replies: optionalCount,
  replies_automatic: optionalCount,
  unique_replies_automatic: optionalCount,
  clicks: optionalCount,
  unique_clicks: optionalCount,
  opportunities: optionalCount,
  unique_opportunities: optionalCount,
});

const schema: z.ZodType<SetUp> = z
  .strictObject({
    workspace: workspace.exactOptional(),
    plan: z.enum(['hypergrowth', 'growth', 'none']).exactOptional(),
    keys: z.array(key).exactOptional(),
    labels: z.array(z.strictObject({ interest_status: z.number(), label: z.string().min(1) })).exactOptional(),
    webhooks: z.array(webhook).exactOptional(),
    analytics: z.array(day).exactOptional(),
    retryDelaysMs: z.array(count).max(MAX_RETRIES).exactOptional(),
    timeoutMs: z.int().min(1).max(MAX_TIMEOUT_MS).exactOptional(),
    disableAfter: z.int().min(1).exactOptional(),
    whileDisabled: z.enum(['failed', 'nothing']).exactOptional(),
    logLimit: z.int().min(1).max(MAX_LOG).exactOptional(),
    rateLimit: z.int().min(1).exactOptional(),
    cursorAtEnd: z.boolean().exactOptional(),
    nullEventType: z.enum(['refused', 'taken']).exactOptional(),
    requireUserAgent: z.boolean().exactOptional(),
    deliverTo: z.url({ protocol: /^https?$/ }).exactOptional(),
    allowRemote: z.boolean().exactOptional(),
  })
  .refine(
    ({ deliverTo, allowRemote }) =>
      deliverTo === undefined || allowRemote === true || isLoopbackHost(new URL(deliverTo).hostname),
    { path: ['deliverTo'], message: 'must be an address of this machine, unless remote ones are allowed' },
  );

/**
 * What a set-up file or a caller says, checked.
 *
 * @throws SettingsError with every fault
 */
export function checkSetUp(value: unknown): SetUp {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  throw new SettingsError(
    checked.error.issues.map(({ path, message }) => `fake-instantly: ${path.join('.') || 'the set-up'}: ${message}`),
  );
}
