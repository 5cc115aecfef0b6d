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
  // Null by its type, and not by the list of its values: a server that validates by the list refuses it.
  event_type: { type: ['string', 'null'], enum: SUBSCRIPTIONS },
  custom_interest_value: { type: ['number', 'null'] },
  headers: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
};

const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  additionalProperties: false,
});

/** The document forbids no further names in a query: those are ignored. */
const query = (properties: Readonly<Record<string, Schema>>): Schema => ({ type: 'object', properties });

export const QUERIES = {
  none: query({}),
  page: query(PAGE),
  webhooks: query({
    ...PAGE,
    campaign: { type: 'string', format: 'uuid' },
    event_type: { type: 'string', enum: FILTERED_SUBSCRIPTIONS },
  }),
  webhookEvents: query({ ...PAGE, success: { type: 'boolean' }, ...WINDOW, search: { type: 'string' } }),
  window: query(WINDOW),
  daily: query({
    campaign_id: { type: 'string', format: 'uuid' },
    start_date: { type: 'string' },
    end_date: { type: 'string' },
    campaign_status: { type: 'number', enum: [-99, -1, -2, 0, 1, 2, 3, 4] },
  }),
  auditLogs: query({
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
