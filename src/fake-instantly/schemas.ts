import { SUBSCRIPTIONS } from '../events/names.ts';
import type { Schema } from './check-schema.ts';
import { SCOPES } from './scopes.ts';

const PAGE = { limit: { type: 'integer', minimum: 1, maximum: 100 }, starting_after: { type: 'string' } } as const;

const DAY = { type: 'string', format: 'date' } as const;

const WINDOW = { from: DAY, to: DAY } as const;

/** The filter's list is shorter than that of subscriptions: two of them cannot be asked for. */
const FILTERED_SUBSCRIPTIONS = SUBSCRIPTIONS.filter(
  (name) => name !== 'lead_no_show' && name !== 'supersearch_enrichment_completed',
);

const WEBHOOK_KEYS: Readonly<Record<string, Schema>> = {
  campaign: { type: ['string', 'null'], format: 'uuid' },
  name: { type: ['string', 'null'] },
  target_hook_url: { type: 'string', format: 'uri', pattern: '^https?://' },
  event_type: { type: ['string', 'null'], enum: SUBSCRIPTIONS },
  custom_interest_value: { type: ['number', 'null'] },
  headers: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
};

const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  additionalProperties: false,
});

export const QUERIES = {
  none: object({}),
  page: object(PAGE),
  webhooks: object({
    ...PAGE,
    campaign: { type: 'string', format: 'uuid' },
    event_type: { type: 'string', enum: FILTERED_SUBSCRIPTIONS },
  }),
  webhookEvents: object({ ...PAGE, success: { type: 'boolean' }, ...WINDOW, search: { type: 'string' } }),
  window: object(WINDOW),
  daily: object({
    campaign_id: { type: 'string', format: 'uuid' },
    start_date: { type: 'string' },
    end_date: { type: 'string' },
    campaign_status: { type: 'number', enum: [-99, -1, -2, 0, 1, 2, 3, 4] },
  }),
  auditLogs: object({
    ...PAGE,
    limit: { type: 'integer', minimum: 1, maximum: 1_000 },
    activity_type: { type: 'number' },
    search: { type: 'string' },
    start_date: { type: 'string' },
    end_date: { type: 'string' },
  }),
} as const;

export const BODIES = {
  /** Of a DELETE. */
  none: { type: 'null' },
  createWebhook: { ...object(WEBHOOK_KEYS), required: ['target_hook_url'] },
  patchWebhook: { ...object(WEBHOOK_KEYS), minProperties: 1 },
  createApiKey: {
    ...object({ name: { type: 'string' }, scopes: { type: 'array', items: { type: 'string', enum: SCOPES } } }),
    required: ['name', 'scopes'],
  },
} as const satisfies Readonly<Record<string, Schema>>;

export const UUID_SCHEMA: Schema = { type: 'string', format: 'uuid' };
