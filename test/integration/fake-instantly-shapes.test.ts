import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { CANONICAL_TYPES } from '../../src/events/names.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake, startTarget, type Target } from '../support/call-fake.ts';

/*
 * Instantly's published answers, written down here a second time and from the document: what is required, what may be
 * null, and that nothing else is there.
 */
const time = z.iso.datetime();
const uuid = z.uuid();

const subscription = z.enum(['all_events', ...CANONICAL_TYPES.filter((type) => type !== 'auto_reply_received')]);

const webhook = z.strictObject({
  id: uuid,
  organization: uuid,
  campaign: uuid.nullable().optional(),
  name: z.string().nullable().optional(),
  target_hook_url: z.url().regex(/^https?:\/\//),
  event_type: subscription.optional(),
  custom_interest_value: z.number().nullable().optional(),
  headers: z.record(z.string(), z.string()).nullable().optional(),
  timestamp_created: time,
  status: z.number().nullable().optional(),
  timestamp_error: time.nullable().optional(),
});

const webhookEvent = z.strictObject({
  id: uuid,
  timestamp_created: time,
  timestamp_created_date: z.iso.date(),
  organization_id: uuid,
  payload: z.record(z.string(), z.unknown()).optional(),
  success: z.boolean(),
  retry_count: z.number(),
  will_retry: z.boolean(),
  webhook_url: z.string(),
  status_code: z.number().nullable().optional(),
  error_message: z.string().nullable().optional(),
  timestamp_next_retry: time.nullable().optional(),
  retry_group_id: uuid.nullable().optional(),
  retry_successful: z.boolean().nullable().optional(),
  lead_email: z.string().nullable().optional(),
  response_time_ms: z.number().nullable().optional(),
});

const apiKey = z.strictObject({
  id: uuid,
  name: z.string(),
  scopes: z.array(z.string().regex(/^[a-z_-]+:(all|create|read|update|delete)$/)),
  key: z.string(),
  organization_id: uuid,
  timestamp_created: time,
  timestamp_updated: time,
});

const published = [
  ...Array.from({ length: 12 }, (_, index) => index + 1),
  ...Array.from({ length: 21 }, (_, n) => n + 18),
];

const auditLog = z.strictObject({
  id: uuid,
  timestamp: time,
  organization_id: uuid,
  activity_type: z.literal(published),
  user_agent: z.string().nullable().optional(),
  user_id: uuid.nullable().optional(),
  ip_address: z.string(),
  from_api: z.boolean(),
  api_key_id: uuid.nullable().optional(),
  affected_count: z.number().nullable().optional(),
  campaign_id: uuid.nullable().optional(),
  webhook_id: uuid.nullable().optional(),
  subsequence_id: uuid.nullable().optional(),
  list_id: uuid.nullable().optional(),
  audit_metadata: z.record(z.string(), z.unknown()).optional(),
  user_name: z.string().nullable().optional(),
});

const workspace = z.strictObject({
  id: uuid,
  timestamp_created: time,
  timestamp_updated: time,
  scheduled_for_removal_at: time.nullable().optional(),
  owner: uuid,
  name: z.string(),
  plan_id: z.string().nullable().optional(),
  plan_id_bundle: z.string().nullable().optional(),
  add_unsub_to_block: z.boolean().nullable().optional(),
  default_opportunity_value: z.number().nullable().optional(),
  plan_id_leadfinder: z.string().nullable().optional(),
  plan_id_verification: z.looseObject({}).optional(),
  org_logo_url: z.string().nullable().optional(),
  org_client_domain: z.string().nullable().optional(),
  plan_id_crm: z.string().nullable().optional(),
  plan_id_website_visitor: z.string().nullable().optional(),
  plan_id_inbox_placement: z.string().nullable().optional(),
});

const counts = z.strictObject({
  total_events: z.number(),
  successful_events: z.number(),
  failed_events: z.number(),
  success_rate: z.number().min(0).max(100),
});

const integer = z.int();
const day = z.strictObject({
  date: z.iso.date(),
  sent: integer,
  contacted: integer,
  new_leads_contacted: integer,
  opened: integer,
  unique_opened: integer,
  replies: integer,
  unique_replies: integer,
  replies_automatic: integer,
  unique_replies_automatic: integer,
  clicks: integer,
  unique_clicks: integer,
  opportunities: integer,
  unique_opportunities: integer,
});

const testAnswer = z.strictObject({
  success: z.boolean(),
  message: z.string(),
  response_time_ms: z.number(),
  status_code: z.number().optional(),
  error: z.string().optional(),
});

const pageOf = (item: z.ZodType): z.ZodType =>
  z.strictObject({ items: z.array(item).min(1), next_starting_after: z.string().optional() });

let target: Target;
let fake: FakeInstantly;
let webhookId = '';
let labelId = '';
let eventId = '';
let keyId = '';

async function create(body: object): Promise<string> {
  const answer = await callFake(fake, 'POST /webhooks', { body });
  expect(answer.status).toBe(200);
  return webhook.parse(answer.body).id;
}

beforeAll(async () => {
  target = await startTarget();
  fake = await startFakeInstantly({ now: () => Date.parse('2026-09-07T10:00:00.000Z') });
  webhookId = await create({
    target_hook_url: `${target.url}/all`,
    event_type: 'all_events',
    name: null,
    headers: null,
  });
  labelId = await create({
    target_hook_url: `${target.url}/label`,
    custom_interest_value: 11,
    campaign: '01993c5e-7b12-7a40-9d3f-5e8c21b7a604',
    headers: { 'x-webhook-secret': 'open sesame' },
  });
  target.answer = 500;
  for (const type of [...CANONICAL_TYPES, 'custom_label']) await fake.emit(type);
  await fake.advance(5_000);
  target.answer = 204;
  await fake.advance(20_000);
  eventId = fake.log()[0]?.id ?? '';
  const made = await callFake(fake, 'POST /api-keys', {
    body: { name: 'third', scopes: ['webhooks:read', 'lead-labels:all'] },
  });
  keyId = apiKey.parse(made.body).id;
});

afterAll(async () => {
  await fake.close();
  await target.stop();
});

describe('every answer has the published shape', () => {
  test.each<[string, z.ZodType]>([
    ['GET /webhooks', pageOf(webhook)],
    ['GET /webhooks/{webhook}', webhook],
    ['GET /webhooks/{label}', webhook],
    [
      'GET /webhooks/event-types',
      z.strictObject({
        event_types: z.array(
          z.strictObject({ id: z.string(), label: z.string(), type: z.enum(['standard', 'custom']) }),
        ),
      }),
    ],
    ['POST /webhooks/{webhook}/test', testAnswer],
    ['POST /webhooks/{webhook}/resume', webhook],
    ['GET /webhook-events', pageOf(webhookEvent)],
    ['GET /webhook-events?limit=100&success=false', pageOf(webhookEvent)],
    ['GET /webhook-events/{event}', webhookEvent],
    ['GET /webhook-events/summary', counts.extend({ failure_rate: z.number().min(0).max(100) })],
    [
      'GET /webhook-events/summary-by-date',
      z.strictObject({ items: z.array(counts.extend({ date: z.iso.date() })).min(1) }),
    ],
    ['GET /api-keys', pageOf(apiKey)],
    ['GET /campaigns/analytics/daily', z.array(day).min(1)],
    ['GET /audit-logs', pageOf(auditLog)],
    ['GET /workspaces/current', workspace],
  ])('%s', async (what, shape) => {
    const path = what.replace('{webhook}', webhookId).replace('{label}', labelId).replace('{event}', eventId);
    const { status, body } = await callFake(fake, path);
    expect(status).toBe(200);
    expect(shape.safeParse(body).error?.issues).toBeUndefined();
  });

  test('an empty list has no cursor at all', async () => {
    const { body } = await callFake(fake, 'GET /webhook-events?search=nobody@nowhere.example');
    expect(body).toEqual({ items: [] });
  });

  test('PATCH and both DELETE answer with the thing itself', async () => {
    const id = await create({ target_hook_url: 'https://receiver.example/hook' });
    const patched = await callFake(fake, `PATCH /webhooks/${id}`, {
      body: { name: 'renamed', event_type: 'email_sent' },
    });
    expect(webhook.parse(patched.body)).toMatchObject({ id, name: 'renamed', event_type: 'email_sent' });
    expect(webhook.parse((await callFake(fake, `DELETE /webhooks/${id}`)).body).id).toBe(id);
    expect((await callFake(fake, `GET /webhooks/${id}`)).status).toBe(404);
    const deleted = await callFake(fake, `DELETE /api-keys/${keyId}`);
    expect(apiKey.parse(deleted.body)).toMatchObject({
      id: keyId,
      name: 'third',
      scopes: ['webhooks:read', 'lead-labels:all'],
    });
    expect((await callFake(fake, `DELETE /api-keys/${keyId}`)).status).toBe(404);
  });

  test('a test that nothing answers says no status, and what went wrong', async () => {
    const id = await create({ target_hook_url: 'http://127.0.0.1:1/hook' });
    const { status, body } = await callFake(fake, `POST /webhooks/${id}/test`);
    expect(status).toBe(200);
    expect(testAnswer.parse(body)).toMatchObject({ success: false, message: 'Webhook test failed' });
    expect(body).not.toHaveProperty('status_code');
    await callFake(fake, `DELETE /webhooks/${id}`);
  });
});

describe('keys', () => {
  test('are whole in the answer that makes them, work at once, and are masked ever after', async () => {
    const made = apiKey.parse(
      (await callFake(fake, 'POST /api-keys', { body: { name: 'n', scopes: ['all:read'] } })).body,
    );
    expect((await callFake(fake, 'GET /workspaces/current', { key: made.key })).status).toBe(200);
    const listed = await callFake(fake, 'GET /api-keys?limit=100');
    expect(JSON.stringify(listed.body)).not.toContain(made.key);
    for (const text of Object.values(fake.keys)) expect(JSON.stringify(listed.body)).not.toContain(text);
    await callFake(fake, `DELETE /api-keys/${made.id}`);
    expect((await callFake(fake, 'GET /workspaces/current', { key: made.key })).status).toBe(401);
  });
});

describe('the analytics', () => {
  test('count what happened, whether or not a webhook told of it', async () => {
    const other = await startFakeInstantly({
      analytics: [{ date: '2026-08-31', campaign_id: '0199aaaa-7b12-7a40-9d3f-5e8c21b7a604', sent: 7, opened: 3 }],
    });
    try {
      const campaign = '01993c5e-7b12-7a40-9d3f-5e8c21b7a604';
      const sent = { event_type: 'email_sent', campaign_id: campaign, timestamp: '2026-09-01T23:59:59.000Z' };
      await other.emit({ ...sent, lead_email: 'a@lead.example', is_first: true }, { deliver: false });
      await other.emit({ ...sent, lead_email: 'a@lead.example' });
      await other.emit({ ...sent, lead_email: 'b@lead.example', event_type: 'link_clicked' });
      const all = await callFake(other, 'GET /campaigns/analytics/daily');
      expect(all.body).toMatchObject([
        { date: '2026-08-31', sent: 7, opened: 3, contacted: 0 },
        { date: '2026-09-01', sent: 2, contacted: 1, new_leads_contacted: 1, clicks: 1, unique_clicks: 1 },
      ]);
      const ask = async (query: string): Promise<unknown> =>
        (await callFake(other, `GET /campaigns/analytics/daily?${query}`)).body;
      expect(await ask(`campaign_id=${campaign}`)).toMatchObject([{ date: '2026-09-01' }]);
      expect(await ask('start_date=2026-09-01')).toMatchObject([{ date: '2026-09-01' }]);
      // A bare date is its midnight, so the day that begins then is not in.
      expect(await ask('end_date=2026-08-31')).toEqual([]);
      expect(await ask('end_date=2026-09-01')).toMatchObject([{ date: '2026-08-31' }]);
      expect(await ask('end_date=2026-08-31T23:59:59.999Z')).toMatchObject([{ date: '2026-08-31' }]);
      expect(await ask('start_date=2026-09-01T00:00:00.000Z&end_date=2026-09-02')).toHaveLength(1);
      expect(await ask('campaign_status=2')).toEqual([]);
    } finally {
      await other.close();
    }
  });
});
