import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake } from '../support/call-fake.ts';

const UNKNOWN = '01993c5e-7b12-7a40-9d3f-5e8c21b7a604';
const URL = 'https://receiver.example/hook';
const hook = (more: object): object => ({ target_hook_url: URL, ...more });

let fake: FakeInstantly;
let id = '';

beforeAll(async () => {
  fake = await startFakeInstantly({ webhooks: [{ target_hook_url: URL, event_type: 'all_events' }] });
  id = fake.webhooks()[0]?.id ?? '';
});

afterAll(() => fake.close());

describe('400 with the words of Fastify', () => {
  test.each<[string, unknown, string]>([
    ['POST /webhooks', {}, "body must have required property 'target_hook_url'"],
    ['POST /webhooks', [], 'body must be object'],
    ['POST /webhooks', undefined, 'body must be object'],
    ['POST /webhooks', hook({ status: 1 }), 'body must NOT have additional properties'],
    [
      'POST /webhooks',
      hook({ target_hook_url: 'ftp://a.example' }),
      'body/target_hook_url must match pattern "^https?://"',
    ],
    ['POST /webhooks', hook({ target_hook_url: 'https://' }), 'body/target_hook_url must match format "uri"'],
    ['POST /webhooks', hook({ target_hook_url: null }), 'body/target_hook_url must be string'],
    ['POST /webhooks', hook({ name: 5 }), 'body/name must be string,null'],
    ['POST /webhooks', hook({ campaign: 'spring' }), 'body/campaign must match format "uuid"'],
    [
      'POST /webhooks',
      hook({ event_type: 'email_replied' }),
      'body/event_type must be equal to one of the allowed values',
    ],
    [
      'POST /webhooks',
      hook({ event_type: 'auto_reply_received' }),
      'body/event_type must be equal to one of the allowed values',
    ],
    [
      'POST /webhooks',
      hook({ event_type: 'link_clicked' }),
      'body/event_type must be equal to one of the allowed values',
    ],
    ['POST /webhooks', hook({ event_type: null }), 'body/event_type must be equal to one of the allowed values'],
    ['PATCH /webhooks/{id}', { event_type: null }, 'body/event_type must be equal to one of the allowed values'],
    ['POST /webhooks', hook({ custom_interest_value: '11' }), 'body/custom_interest_value must be number,null'],
    ['POST /webhooks', hook({ headers: { 'x-a': 1 } }), 'body/headers/x-a must be string'],
    ['POST /webhooks', hook({ headers: ['x-a'] }), 'body/headers must be object,null'],
    ['PATCH /webhooks/{id}', {}, 'body must NOT have fewer than 1 properties'],
    ['PATCH /webhooks/{id}', { id: UNKNOWN }, 'body must NOT have additional properties'],
    ['PATCH /webhooks/{id}', { target_hook_url: 1 }, 'body/target_hook_url must be string'],
    ['PATCH /webhooks/nonsense', { name: 'n' }, 'params/id must match format "uuid"'],
    ['DELETE /webhooks/{id}', {}, 'body must be null'],
    ['DELETE /api-keys/{id}', {}, 'body must be null'],
    ['POST /api-keys', { name: 'n' }, "body must have required property 'scopes'"],
    ['POST /api-keys', { scopes: [] }, "body must have required property 'name'"],
    ['POST /api-keys', { name: 'n', scopes: 'all:all' }, 'body/scopes must be array'],
    [
      'POST /api-keys',
      { name: 'n', scopes: ['webhooks:write'] },
      'body/scopes/0 must be equal to one of the allowed values',
    ],
    ['POST /api-keys', { name: 'n', scopes: [], key: 'k' }, 'body must NOT have additional properties'],
    ['GET /webhooks/nonsense', undefined, 'params/id must match format "uuid"'],
    ['GET /webhook-events/nonsense', undefined, 'params/id must match format "uuid"'],
    ['GET /webhooks?limit=0', undefined, 'querystring/limit must be >= 1'],
    ['GET /webhooks?limit=101', undefined, 'querystring/limit must be <= 100'],
    ['GET /webhooks?limit=1.5', undefined, 'querystring/limit must be integer'],
    ['GET /webhooks?limit=ten', undefined, 'querystring/limit must be integer'],
    ['GET /webhooks?limit=', undefined, 'querystring/limit must be integer'],
    ['GET /webhooks?limit=1&limit=2', undefined, 'querystring/limit must be integer'],
    ['GET /webhooks?campaign=spring', undefined, 'querystring/campaign must match format "uuid"'],
    [
      'GET /webhooks?event_type=lead_no_show',
      undefined,
      'querystring/event_type must be equal to one of the allowed values',
    ],
    ['GET /webhook-events?success=yes', undefined, 'querystring/success must be boolean'],
    ['GET /webhook-events?from=2026-9-1', undefined, 'querystring/from must match format "date"'],
    ['GET /webhook-events?to=2026-02-30', undefined, 'querystring/to must match format "date"'],
    ['GET /webhook-events/summary?from=yesterday', undefined, 'querystring/from must match format "date"'],
    ['GET /api-keys?limit=1000', undefined, 'querystring/limit must be <= 100'],
    ['GET /audit-logs?limit=1001', undefined, 'querystring/limit must be <= 1000'],
    ['GET /audit-logs?activity_type=login', undefined, 'querystring/activity_type must be number'],
    ['GET /audit-logs?start_date=soon', undefined, 'Invalid start_date'],
    ['GET /campaigns/analytics/daily?campaign_id=1', undefined, 'querystring/campaign_id must match format "uuid"'],
    [
      'GET /campaigns/analytics/daily?campaign_status=7',
      undefined,
      'querystring/campaign_status must be equal to one of the allowed values',
    ],
    ['GET /campaigns/analytics/daily?end_date=2026-13-01', undefined, 'Invalid end_date'],
    [
      'GET /campaigns/analytics/daily?start_date=2026-09-02&end_date=2026-09-01',
      undefined,
      'Start Date must be earlier than End Date',
    ],
  ])('%s with %j', async (what, body, message) => {
    const before = JSON.stringify([fake.webhooks(), fake.auditLog()]);
    const answer = await callFake(fake, what.replace('{id}', id), body === undefined ? {} : { body });
    expect(answer).toEqual({ status: 400, body: { statusCode: 400, error: 'Bad Request', message } });
    expect(JSON.stringify([fake.webhooks(), fake.auditLog()])).toBe(before);
  });

  test.each([
    [{ 'content-type': 'application/json' }, '', 400, 'Bad Request'],
    [{ 'content-type': 'application/json' }, '{"target_hook_url"', 400, 'Bad Request'],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 'target_hook_url=x', 415, 'Unsupported Media Type'],
    [{ 'content-type': 'application/json' }, ' '.repeat(1_100_000), 413, 'Payload Too Large'],
  ])('a body that is none: %j', async (headers, body, status, error) => {
    const response = await fetch(`${fake.url}/api/v2/webhooks`, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${fake.keys.all}` },
      body,
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ statusCode: status, error, message: expect.any(String) });
  });

  test('a DELETE that says JSON and has no body is let in, and so is one of null', async () => {
    for (const body of [undefined, 'null']) {
      const made = await callFake(fake, 'POST /webhooks', { body: hook({}) });
      const response = await fetch(`${fake.url}/api/v2/webhooks/${(made.body as { id: string }).id}`, {
        method: 'DELETE',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${fake.keys.all}` },
        ...(body === undefined ? {} : { body }),
      });
      expect(response.status).toBe(200);
    }
  });

  test('what is well formed is let in', async () => {
    for (const body of [hook({}), hook({ custom_interest_value: 11 }), hook({ headers: null, campaign: null })]) {
      expect((await callFake(fake, 'POST /webhooks', { body })).status).toBe(200);
    }
    for (const query of [
      'limit=1',
      'limit=100',
      `campaign=${UNKNOWN}`,
      'event_type=all_events',
      `starting_after=${UNKNOWN}`,
    ]) {
      expect((await callFake(fake, `GET /webhooks?${query}`)).status).toBe(200);
    }
    expect((await callFake(fake, 'GET /audit-logs?limit=1000&start_date=2026-09-01&end_date=2026-09-01')).status).toBe(
      200,
    );
  });
});

test.each([
  'GET /webhooks?page=2',
  'GET /webhooks?expand[]=a&limit=1',
  'GET /webhook-events/summary-by-date?limit=1',
  'GET /workspaces/current?id=1',
  'POST /webhooks/{id}/resume?force=true',
])('%s is answered: the document forbids no further names in a query', async (what) => {
  expect((await callFake(fake, what.replace('{id}', id))).status).toBe(200);
});

test.each(['nonsense', '2026-09-01T10:00:00Z', 'a@lead.example', ''])(
  'the cursor %p is one by the document, and nothing is behind it',
  async (cursor) => {
    for (const path of ['/webhooks', '/webhook-events', '/api-keys', '/audit-logs']) {
      const answer = await callFake(fake, `GET ${path}?starting_after=${encodeURIComponent(cursor)}`);
      expect(answer).toEqual({ status: 200, body: { items: [] } });
    }
  },
);

test.each([
  ['application/json', ''],
  ['application/x-www-form-urlencoded', ''],
  ['application/json', '{}'],
  ['text/plain', 'anything'],
])('a body of %s is ignored where the document knows none: %p', async (type, body) => {
  const response = await fetch(`${fake.url}/api/v2/webhooks/${id}/resume`, {
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${fake.keys.all}` },
    body,
  });
  expect(response.status).toBe(200);
});

test('null for an event type is taken where that is asked for, and is then left out of answers', async () => {
  const other = await startFakeInstantly({
    nullEventType: 'taken',
    webhooks: [{ target_hook_url: URL, event_type: 'email_sent' }],
  });
  try {
    const [webhook] = other.webhooks();
    const body = { event_type: null, custom_interest_value: 11 };
    for (const what of [`PATCH /webhooks/${webhook?.id}`, 'POST /webhooks']) {
      const answer = await callFake(other, what, { body: hook(body) });
      expect(answer).toMatchObject({ status: 200, body: { custom_interest_value: 11 } });
      expect(answer.body).not.toHaveProperty('event_type');
    }
    expect((await callFake(other, 'POST /webhooks', { body: hook({ event_type: 'email_replied' }) })).status).toBe(400);
  } finally {
    await other.close();
  }
});

test('a client that does not name itself is refused at the edge where that is asked for', async () => {
  const other = await startFakeInstantly({ requireUserAgent: true });
  try {
    const ask = (agent: Record<string, string>) =>
      fetch(`${other.url}/api/v2/webhooks`, { headers: { authorization: `Bearer ${other.keys.all}`, ...agent } });
    for (const agent of [{}, { 'user-agent': 'curl/8.7.1' }, { 'user-agent': '' }]) {
      const refused = await ask(agent);
      expect([refused.status, refused.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8']);
    }
    expect((await ask({ 'user-agent': 'my-program/1.0' })).status).toBe(200);
    expect(other.calls().map(({ status }) => status)).toEqual([403, 403, 403, 200]);
  } finally {
    await other.close();
  }
});

test('names the workspace that a key acts on', async () => {
  const response = await fetch(`${fake.url}/api/v2/workspaces/current`, {
    headers: { authorization: `Bearer ${fake.keys.all}`, 'x-as-workspace': UNKNOWN },
  });
  expect(await response.json()).toMatchObject({ id: UNKNOWN });
  expect(fake.calls().at(-1)).toMatchObject({ asWorkspace: UNKNOWN });
});

describe('404', () => {
  test.each([
    'GET /webhooks/ID',
    'DELETE /webhooks/ID',
    'POST /webhooks/ID/test',
    'POST /webhooks/ID/resume',
    'GET /webhook-events/ID',
    'DELETE /api-keys/ID',
  ])('%s of what is not there', async (what) => {
    const answer = await callFake(fake, what.replace('ID', UNKNOWN));
    expect(answer).toEqual({
      status: 404,
      body: { statusCode: 404, error: 'Not Found', message: 'Resource not found' },
    });
  });

  test.each([
    'GET /nonsense',
    'PUT /webhooks',
    'POST /webhook-events',
    'GET /webhooks/',
    'GET /workspaces',
    'GET /workspaces/{id}',
    'PATCH /api-keys/x',
  ])('%s is no route', async (what) => {
    const { status, body } = await callFake(fake, what, { key: null });
    expect(status).toBe(404);
    const [method, path] = what.replace('{id}', '%7Bid%7D').split(' ');
    expect(body).toMatchObject({ message: expect.stringContaining(`Route ${method}:/api/v2`) });
    expect(path).toBeDefined();
  });

  test('nothing is served outside of /api/v2', async () => {
    for (const path of ['/', '/webhooks', '/api/v1/webhooks', '/api/v2', '/api/v2webhooks']) {
      expect((await fetch(`${fake.url}${path}`)).status).toBe(404);
    }
  });
});

test('a request that is answered leaves its connection open', async () => {
  const response = await fetch(`${fake.url}/api/v2/workspaces/current`, {
    headers: { authorization: `Bearer ${fake.keys.all}` },
  });
  expect(response.headers.get('connection')).not.toBe('close');
});
