import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Fault } from '../../src/fake-instantly/faults.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake, startTarget, type Target } from '../support/call-fake.ts';

let target: Target;
let fake: FakeInstantly;
let time = Date.parse('2026-09-07T10:00:00.000Z');

beforeEach(async () => {
  target = await startTarget();
  fake = await startFakeInstantly({
    now: () => time,
    webhooks: [{ target_hook_url: `${target.url}/hook`, event_type: 'all_events' }],
  });
});

afterEach(async () => {
  await fake.close();
  await target.stop();
});

const get = (path: string): Promise<Response> =>
  fetch(`${fake.url}/api/v2${path}`, {
    headers: { authorization: `Bearer ${fake.keys.all}` },
    signal: AbortSignal.timeout(20_000),
  });

describe('a fault', () => {
  test.each<[401 | 402 | 403 | 404 | 429 | 500 | 503, string]>([
    [401, 'Unauthorized'],
    [402, 'Payment Required'],
    [403, 'Forbidden'],
    [404, 'Not Found'],
    [429, 'Too Many Requests'],
    [500, 'Internal Server Error'],
    [503, 'Service Unavailable'],
  ])('%d answers so many calls of its operation, and no others', async (status, error) => {
    fake.fail('GET /webhooks', status, 2);
    expect((await get('/api-keys')).status).toBe(200);
    for (let call = 0; call < 2; call += 1) {
      const response = await get('/webhooks');
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ statusCode: status, error, message: expect.any(String) });
    }
    expect((await get('/webhooks')).status).toBe(200);
  });

  test('edge is a 403 that is not of the API', async () => {
    fake.fail('*', 'edge');
    const response = await get('/workspaces/current');
    expect([response.status, response.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8']);
    await expect(response.json()).rejects.toThrow();
  });

  test('broken-json is a 200 that cannot be read', async () => {
    fake.fail('*', 'broken-json');
    const response = await get('/workspaces/current');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    await expect(response.json()).rejects.toThrow(/JSON/);
  });

  test('drop cuts the connection, hang says nothing until it is closed', async () => {
    fake.fail('GET /webhooks', 'drop');
    await expect(get('/webhooks')).rejects.toThrow();
    fake.fail('GET /webhooks', 'hang');
    const hanging = get('/webhooks').then(
      () => 'answered',
      () => 'cut',
    );
    // A second call that is answered shows that the first had its time.
    while (!fake.calls().some(({ status, operation }) => status === null && operation === 'GET /webhooks'))
      await get('/api-keys');
    expect((await get('/webhooks')).status).toBe(200);
    await fake.close();
    expect(await hanging).toBe('cut');
    fake = await startFakeInstantly();
  });

  test('lacks and adds change the answer, or each of its items', async () => {
    fake.fail('GET /webhooks', { lacks: 'id' });
    fake.fail('GET /webhooks', { lacks: 'items' });
    fake.fail('GET /webhooks', { adds: 'surprise' });
    fake.fail('GET /workspaces/current', { lacks: 'name' });
    const listed = await (await get('/webhooks')).json();
    expect(listed).toMatchObject({ items: [{ status: 1 }] });
    expect(listed).not.toHaveProperty('items.0.id');
    expect(await (await get('/webhooks')).json()).not.toHaveProperty('items');
    const added = { surprise: 'unexpected', items: [{ surprise: 'unexpected' }] };
    expect(await (await get('/webhooks')).json()).toMatchObject(added);
    expect(await (await get('/workspaces/current')).json()).not.toHaveProperty('name');
    expect(await (await get('/webhooks')).json()).toMatchObject({ items: [{ id: fake.webhooks()[0]?.id }] });
  });

  test.each<[Fault, number]>([
    [{ afterwards: 500 }, 500],
    [{ afterwards: 503 }, 503],
  ])('%j: the call has its effect all the same', async (fault, status) => {
    fake.fail('POST /webhooks', fault);
    const answer = await callFake(fake, 'POST /webhooks', { body: { target_hook_url: 'https://a.example/' } });
    expect([answer.status, fake.webhooks().length]).toEqual([status, 2]);
    fake.fail('POST /webhooks', { afterwards: 'drop' });
    await expect(
      callFake(fake, 'POST /webhooks', { body: { target_hook_url: 'https://b.example/' } }),
    ).rejects.toThrow();
    expect(fake.webhooks()).toHaveLength(3);
    fake.fail('POST /webhooks', 500);
    await callFake(fake, 'POST /webhooks', { body: { target_hook_url: 'https://c.example/' } });
    expect(fake.webhooks()).toHaveLength(3);
  });

  test('faults are used up in their order, and can be taken back', async () => {
    fake.fail('GET /webhooks', 500);
    fake.fail('*', 503);
    expect((await get('/api-keys')).status).toBe(503);
    expect((await get('/webhooks')).status).toBe(500);
    fake.fail('*', 503, 100);
    fake.clearFaults();
    expect((await get('/webhooks')).status).toBe(200);
  });
});

describe('the rate limit', () => {
  test('is for the whole workspace, in any second', async () => {
    fake.setRateLimit(3);
    const statuses = async (count: number): Promise<number[]> => {
      const found: number[] = [];
      for (let call = 0; call < count; call += 1) {
        const key = call % 2 === 0 ? fake.keys.all : fake.keys.read;
        found.push((await callFake(fake, 'GET /webhooks', { key })).status);
      }
      return found;
    };
    expect(await statuses(2)).toEqual([200, 200]);
    time += 600;
    expect(await statuses(2)).toEqual([200, 429]);
    time += 400;
    expect(await statuses(3)).toEqual([200, 200, 429]);
    fake.setRateLimit(undefined);
    expect(await statuses(9)).not.toContain(429);
  });

  test('strangers do not use it up', async () => {
    fake.setRateLimit(1);
    for (let call = 0; call < 5; call += 1) await callFake(fake, 'GET /webhooks', { key: 'no-such-key' });
    expect((await get('/webhooks')).status).toBe(200);
  });
});

describe('the record of calls', () => {
  test('has operation, status and key, and no secret', async () => {
    await callFake(fake, 'GET /webhooks?limit=1', { key: fake.keys.read });
    await callFake(fake, 'DELETE /webhooks/nonsense');
    await callFake(fake, 'GET /nonsense', { key: null });
    const [first, second, third] = fake.calls();
    expect(first).toEqual({
      operation: 'GET /webhooks',
      method: 'GET',
      path: '/webhooks',
      status: 200,
      keyId: expect.any(String),
      userAgent: 'node',
      asWorkspace: null,
      at: time,
    });
    expect(second).toMatchObject({ operation: 'DELETE /webhooks/{id}', path: '/webhooks/nonsense', status: 400 });
    expect(third).toMatchObject({ operation: null, status: 404, keyId: null });
    for (const key of Object.values(fake.keys)) expect(JSON.stringify(fake.calls())).not.toContain(key);
  });
});

describe('the control side', () => {
  const control = (what: string, body?: unknown): ReturnType<typeof callFake> =>
    callFake(fake, what, { control: true, ...(body === undefined ? {} : { body }) });

  test('raises events, plans faults, moves time and tells what is', async () => {
    const samples = await control('POST /_fake/events', { type: 'reply_received', count: 3 });
    expect(samples).toEqual({ status: 200, body: { events: 3, delivered: 3, failed: 0, attempts: expect.any(Array) } });
    expect(new Set(target.received.map(({ body }) => JSON.parse(body).lead_email)).size).toBe(3);
    target.answer = 500;
    const own = await control('POST /_fake/events', { event_type: 'email_sent', type: 'a lead variable', x: 1 });
    expect(own.body).toMatchObject({ events: 1, delivered: 0, failed: 1 });
    expect(target.received.at(-1)?.body).toBe('{"event_type":"email_sent","type":"a lead variable","x":1}');
    expect((await control('GET /_fake')).body).toMatchObject({ plan: 'hypergrowth', waiting_retries: 1 });
    expect((await control('POST /_fake/advance', { ms: 60_000 })).status).toBe(200);
    expect(fake.log()).toHaveLength(6);
    expect((await control('POST /_fake/faults', { operation: 'GET /webhooks', fault: 503 })).status).toBe(200);
    expect((await get('/webhooks')).status).toBe(503);
    await control('POST /_fake/faults', { operation: '*', fault: { lacks: 'id' }, times: 5 });
    expect((await control('GET /_fake/faults')).body).toEqual({
      items: [{ operation: '*', fault: { lacks: 'id' }, times: 5 }],
    });
    await control('DELETE /_fake/faults');
    await control('POST /_fake/rate-limit', { perSecond: 1 });
    expect([(await get('/webhooks')).status, (await get('/webhooks')).status]).toEqual([200, 429]);
    await control('POST /_fake/rate-limit', { perSecond: null });
    const id = fake.webhooks()[0]?.id;
    expect((await control(`POST /_fake/webhooks/${id}/disable`)).body).toMatchObject({ id, status: -1 });
    expect((await control('GET /_fake/calls')).body).toMatchObject({
      items: [{ status: 503 }, { status: 200 }, { status: 429 }],
    });
  });

  test('has fields null, another answer, and a time to wait told', async () => {
    const plan = (operation: string, fault: unknown) => control('POST /_fake/faults', { operation, fault });
    await plan('GET /webhooks', { nulls: 'status' });
    expect(await (await get('/webhooks')).json()).toMatchObject({ items: [{ status: null }] });
    await plan('GET /webhooks/event-types', { lacks: 'label' });
    expect(JSON.stringify(await (await get('/webhooks/event-types')).json())).not.toContain('label');
    await plan('POST /webhooks/{id}/test', { answer: {} });
    const [webhook] = fake.webhooks();
    expect(await callFake(fake, `POST /webhooks/${webhook?.id}/test`)).toEqual({ status: 200, body: {} });
    expect(target.received).toHaveLength(1);
    await plan('GET /webhooks', { status: 429, retryAfter: 7 });
    const refused = await get('/webhooks');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '7']);
  });

  test('an event that no webhook tells of is in the analytics alone', async () => {
    const { body } = await control('POST /_fake/events', { type: 'email_sent', count: 2, deliver: false });
    expect(body).toMatchObject({ events: 2, attempts: [] });
    expect([target.received, fake.log()]).toEqual([[], []]);
    expect(await (await get('/campaigns/analytics/daily')).json()).toMatchObject([{ sent: 2 }]);
  });

  test.each<[string, unknown]>([
    ['POST /_fake/events', { type: 'email_replied' }],
    ['POST /_fake/events', { type: 'email_sent', count: 0 }],
    ['POST /_fake/events', [1]],
    ['POST /_fake/faults', { operation: 'GET /nonsense', fault: 500 }],
    ['POST /_fake/faults', { operation: 'GET /webhooks', fault: 418 }],
    ['POST /_fake/faults', { operation: 'GET /webhooks', fault: { status: 429 } }],
    ['POST /_fake/faults', { operation: 'GET /webhooks', fault: { nulls: '' } }],
    ['POST /_fake/faults', { operation: 'GET /webhooks', fault: 500, times: 0 }],
    ['POST /_fake/advance', { ms: -1 }],
    ['POST /_fake/rate-limit', { perSecond: 0 }],
  ])('%s %j is refused', async (what, body) => {
    const answer = await control(what, body);
    expect(answer).toEqual({
      status: 400,
      body: { statusCode: 400, error: 'Bad Request', message: expect.any(String) },
    });
  });

  test('is not below /api/v2, and what it does not know is 404', async () => {
    expect((await callFake(fake, 'GET /_fake')).status).toBe(404);
    expect((await control('GET /_fake/nonsense')).status).toBe(404);
    expect((await control('GET /_fake/toString')).status).toBe(404);
  });

  test('a page in a browser here cannot call it: neither by another name nor without saying that it sends JSON', async () => {
    const { default: http } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      http
        .get(`${fake.url}/_fake`, { headers: { host: 'rebound.example' } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        })
        .on('error', reject);
    });
    expect(status).toBe(403);
    const plain = await fetch(`${fake.url}/_fake/events`, { method: 'POST', body: '{"type":"email_sent"}' });
    expect([plain.status, target.received]).toEqual([415, []]);
  });
});

describe('what it is started with', () => {
  test.each<[object, RegExp]>([
    [{ plan: 'gold' }, /plan/],
    [{ keys: [{ name: 'k', scopes: ['webhooks:write'] }] }, /keys\.0\.scopes\.0: is no scope/],
    [{ webhooks: [{ target_hook_url: 'ftp://a.example' }] }, /webhooks\.0\.target_hook_url/],
    [
      { analytics: [{ date: '2026-02-30', campaign_id: '01993c5e-7b12-7a40-9d3f-5e8c21b7a604' }] },
      /analytics\.0\.date/,
    ],
    [{ webhoks: [] }, /webhoks/],
    [{ logLimit: 1_000_000 }, /logLimit/],
  ])('%j is refused', async (options, message) => {
    await expect(startFakeInstantly(options)).rejects.toThrow(message);
  });

  test('keys of one text are refused; a key named all takes the place of that one', async () => {
    const key = 'the-same-text';
    const twice = [
      { name: 'a', scopes: [], key },
      { name: 'b', scopes: [], key },
    ];
    await expect(startFakeInstantly({ keys: twice })).rejects.toThrow(/a and b/);
    const other = await startFakeInstantly({ keys: [{ name: 'all', scopes: ['webhooks:read'], key }] });
    try {
      expect(other.keys.all).toBe(key);
      expect((await callFake(other, 'GET /webhooks')).status).toBe(200);
      expect((await callFake(other, 'GET /api-keys')).status).toBe(403);
    } finally {
      await other.close();
    }
  });
});
