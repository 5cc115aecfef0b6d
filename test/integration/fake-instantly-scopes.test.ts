import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake } from '../support/call-fake.ts';

const ID = '01993c5e-7b12-7a40-9d3f-5e8c21b7a604';

/** The call, the scope it needs; the calls are harmless, or of things that are not there. */
const TABLE: readonly [string, string][] = [
  ['GET /webhooks', 'webhooks:read'],
  ['POST /webhooks', 'webhooks:create'],
  [`GET /webhooks/${ID}`, 'webhooks:read'],
  [`PATCH /webhooks/${ID}`, 'webhooks:update'],
  [`DELETE /webhooks/${ID}`, 'webhooks:delete'],
  [`POST /webhooks/${ID}/test`, 'webhooks:update'],
  [`POST /webhooks/${ID}/resume`, 'webhooks:update'],
  ['GET /webhooks/event-types', 'webhooks:read'],
  ['GET /webhook-events', 'webhook_events:read'],
  [`GET /webhook-events/${ID}`, 'webhook_events:read'],
  ['GET /webhook-events/summary', 'webhook_events:read'],
  ['GET /webhook-events/summary-by-date', 'webhook_events:read'],
  ['GET /api-keys', 'api_keys:read'],
  ['POST /api-keys', 'api_keys:create'],
  [`DELETE /api-keys/${ID}`, 'api_keys:delete'],
  ['GET /campaigns/analytics/daily', 'campaigns:read'],
  ['GET /audit-logs', 'audit_logs:read'],
  ['GET /workspaces/current', 'workspaces:read'],
];

const RESOURCES = ['webhooks', 'webhook_events', 'api_keys', 'campaigns', 'audit_logs', 'workspaces', 'all'];
const SCOPES = RESOURCES.flatMap((resource) =>
  ['read', 'create', 'update', 'delete', 'all'].map((action) => `${resource}:${action}`),
);

let fake: FakeInstantly;

beforeAll(async () => {
  fake = await startFakeInstantly({ keys: SCOPES.map((scope) => ({ name: scope, scopes: [scope] })) });
});

afterAll(() => fake.close());

describe('a key may do what its scopes say', () => {
  test.each(TABLE)('%s needs %s', async (what, needed) => {
    const [resource = '', action = ''] = needed.split(':');
    const enough = new Set([needed, `${resource}:all`, `all:${action}`, 'all:all']);
    const refused = new Map<string, boolean>();
    for (const scope of SCOPES) {
      const { status, body } = await callFake(fake, what, { key: fake.keys[scope] ?? '' });
      refused.set(scope, status === 403);
      if (status !== 403) continue;
      const message = `Requires one of the following scopes: ${[...enough].join(', ')}`;
      expect(body).toEqual({ statusCode: 403, error: 'Forbidden', message });
    }
    expect([...refused].filter(([, no]) => !no).map(([scope]) => scope)).toEqual(
      SCOPES.filter((one) => enough.has(one)),
    );
  });

  test.each(TABLE)('%s is refused without a key and with an unknown one', async (what) => {
    const none = await callFake(fake, what, { key: null });
    expect(none).toEqual({
      status: 401,
      body: { statusCode: 401, error: 'Unauthorized', message: 'Missing Authorization header' },
    });
    const unknown = await callFake(fake, what, { key: 'no-such-key' });
    expect(unknown.status).toBe(401);
    expect(unknown.body).toMatchObject({ statusCode: 401, error: 'Unauthorized' });
  });

  test('the scheme has to be Bearer', async () => {
    for (const authorization of [fake.keys.all, `Basic ${fake.keys.all}`, 'Bearer', `Bearer ${fake.keys.all} more`]) {
      const response = await fetch(`${fake.url}/api/v2/workspaces/current`, { headers: { authorization } });
      expect(response.status).toBe(401);
    }
  });
});

describe('the plan', () => {
  test('without webhooks answers 402 where they are asked for, and nowhere else', async () => {
    const poor = await startFakeInstantly({ plan: 'growth' });
    try {
      for (const [what] of TABLE) {
        const { status, body } = await callFake(poor, what);
        expect([what, status === 402]).toEqual([what, what.includes('/webhook')]);
        if (status === 402) expect(body).toMatchObject({ statusCode: 402, error: 'Payment Required' });
      }
    } finally {
      await poor.close();
    }
  });

  test('that nobody pays answers 402 everywhere', async () => {
    const unpaid = await startFakeInstantly({ plan: 'none' });
    try {
      for (const [what] of TABLE) expect((await callFake(unpaid, what)).status).toBe(402);
    } finally {
      await unpaid.close();
    }
  });
});
