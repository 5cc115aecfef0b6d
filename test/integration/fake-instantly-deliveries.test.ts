import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { CANONICAL_TYPES } from '../../src/events/names.ts';
import { SAMPLES } from '../../src/events/samples.ts';
import type { FakeInstantlyOptions } from '../../src/fake-instantly/options.ts';
import type { WebhookDraft, WebhookEvent } from '../../src/fake-instantly/shapes.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake, startTarget, type Target } from '../support/call-fake.ts';

const START = Date.parse('2026-09-07T10:00:00.000Z');

let target: Target;
let fake: FakeInstantly;

beforeEach(async () => {
  target = await startTarget();
});

afterEach(async () => {
  await fake.close();
  await target.stop();
});

async function start(draft: Partial<WebhookDraft> = {}, options: FakeInstantlyOptions = {}): Promise<string> {
  const webhook = { target_hook_url: `${target.url}/hook`, event_type: 'all_events' as const, ...draft };
  fake = await startFakeInstantly({ now: () => START, webhooks: [webhook], ...options });
  return fake.webhooks()[0]?.id ?? '';
}

/** What an entry says of the attempts to come. */
const fateOf = ({
  success,
  retry_count,
  will_retry,
  timestamp_next_retry,
  retry_successful,
}: WebhookEvent): unknown[] => [
  success,
  retry_count,
  will_retry,
  timestamp_next_retry?.slice(11, 19) ?? null,
  retry_successful,
];

const webhookOf = (id: string): unknown => fake.webhooks().find((one) => one.id === id);

describe('what is sent', () => {
  test("is the payload itself, with the webhook's own headers", async () => {
    await start({
      headers: { 'X-Webhook-Secret': 'open sesame', Authorization: 'Basic dTpw', 'Content-Type': 'text/plain' },
    });
    const payload = { event_type: 'email_sent', nested: { list: [1, null, 'ö'] }, lead_email: 'ana@lead.example' };
    const [entry] = await fake.emit(payload);
    expect(target.received).toHaveLength(1);
    const [{ method, path, headers, body } = { method: '', path: '', headers: {}, body: '' }] = target.received;
    expect([method, path, JSON.parse(body)]).toEqual(['POST', '/hook', payload]);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'x-webhook-secret': 'open sesame',
      authorization: 'Basic dTpw',
    });
    expect(entry).toMatchObject({
      payload,
      success: true,
      status_code: 200,
      error_message: null,
      lead_email: 'ana@lead.example',
      webhook_url: `${target.url}/hook`,
      timestamp_created: '2026-09-07T10:00:00.000Z',
      timestamp_created_date: '2026-09-07',
      response_time_ms: expect.any(Number),
    });
  });

  test('goes to the address of deliverTo, with the path and query of the target', async () => {
    await start(
      { target_hook_url: 'https://receiver.example/webhooks/instantly?a=1' },
      { deliverTo: `${target.url}/base/` },
    );
    const [entry] = await fake.emit('email_sent');
    expect(target.received.map(({ path }) => path)).toEqual(['/base/webhooks/instantly?a=1']);
    expect(entry).toMatchObject({ success: true, webhook_url: 'https://receiver.example/webhooks/instantly?a=1' });
  });

  test.each(['https://receiver.example/', 'http://10.0.0.1/', 'http://127.0.0.1.example/', 'http://[2001:db8::1]/'])(
    'never leaves this machine by itself: %s',
    async (url) => {
      await start({ target_hook_url: url }, { retryDelaysMs: [] });
      const [entry] = await fake.emit('email_sent');
      const error_message = 'Not sent: the address is not on this machine';
      expect(entry).toMatchObject({ success: false, status_code: null, error_message });
    },
  );

  test('deliverTo may not lead off this machine either', async () => {
    await start();
    await expect(startFakeInstantly({ deliverTo: 'https://receiver.example' })).rejects.toThrow(/deliverTo/);
  });
});

describe('who gets what', () => {
  const subscriptions = CANONICAL_TYPES.filter((type) => type !== 'auto_reply_received');

  test.each(subscriptions)('%s gets its own type and no other', async (event_type) => {
    await start({ event_type });
    for (const type of Object.keys(SAMPLES)) await fake.emit(type);
    const raw = event_type === 'email_link_clicked' ? 'link_clicked' : event_type;
    expect(target.received.map(({ body }) => JSON.parse(body).event_type)).toEqual([raw]);
  });

  test('all_events gets everything, labels and automatic replies too', async () => {
    await start();
    for (const type of Object.keys(SAMPLES)) await fake.emit(type);
    expect(target.received).toHaveLength(Object.keys(SAMPLES).length);
  });

  test('a label goes to the webhook with its value', async () => {
    const url = `${target.url}/label`;
    await start(
      { target_hook_url: url, event_type: null, custom_interest_value: 7 },
      {
        labels: [
          { interest_status: 7, label: 'Hot' },
          { interest_status: 8, label: 'Cold' },
        ],
      },
    );
    for (const event_type of ['Hot', 'Cold', 'hot', 'email_sent']) await fake.emit({ event_type });
    expect(target.received.map(({ body }) => JSON.parse(body).event_type)).toEqual(['Hot']);
  });

  test('a webhook with neither a type nor a label gets nothing', async () => {
    await start({ event_type: null });
    for (const type of Object.keys(SAMPLES)) await fake.emit(type);
    expect(target.received).toEqual([]);
  });

  test('a webhook of one campaign gets that campaign only', async () => {
    const campaign = '01993c5e-7b12-7a40-9d3f-5e8c21b7a604';
    await start({ campaign });
    await fake.emit({ event_type: 'email_sent', campaign_id: campaign });
    await fake.emit({ event_type: 'email_sent', campaign_id: '01993c5e-7b12-7a40-9d3f-5e8c21b7a605' });
    await fake.emit({ event_type: 'email_sent' });
    expect(target.received).toHaveLength(1);
  });

  test('one event reaches each webhook that is subscribed', async () => {
    const id = await start();
    await callFake(fake, 'POST /webhooks', {
      body: { target_hook_url: `${target.url}/two`, event_type: 'email_sent' },
    });
    const entries = await fake.emit('email_sent');
    expect(target.received.map(({ path }) => path).sort()).toEqual(['/hook', '/two']);
    expect(new Set(entries.map((entry) => entry.retry_group_id)).size).toBe(2);
    await callFake(fake, `DELETE /webhooks/${id}`);
    expect(await fake.emit('email_sent')).toHaveLength(1);
  });
});

describe('a failure', () => {
  test.each([200, 201, 204, 299])('%d is none', async (status) => {
    await start();
    target.answer = status;
    expect(await fake.emit('email_sent')).toMatchObject([{ success: true, status_code: status, will_retry: false }]);
  });

  test.each([301, 400, 404, 429, 500])('%d is one, and is not followed', async (status) => {
    await start();
    target.answer = (response) => response.writeHead(status, { location: `${target.url}/elsewhere` }).end();
    expect(await fake.emit('email_sent')).toMatchObject([
      {
        success: false,
        status_code: status,
        error_message: `Request failed with status code ${status}`,
        will_retry: true,
      },
    ]);
    expect(target.received).toHaveLength(1);
  });

  test('is retried on schedule; the last failure ends the group', async () => {
    await start();
    target.answer = 500;
    await fake.emit('email_sent');
    expect(fake.log().map(fateOf)).toEqual([[false, 0, true, '10:00:05', null]]);
    await fake.advance(4_999);
    expect(fake.log()).toHaveLength(1);
    await fake.advance(1);
    expect(fake.log().map(fateOf)).toEqual([
      [false, 0, true, '10:00:05', null],
      [false, 1, true, '10:00:20', false],
    ]);
    await fake.advance(3_600_000);
    expect(fake.log().map(fateOf)).toEqual([
      [false, 0, true, '10:00:05', false],
      [false, 1, true, '10:00:20', false],
      [false, 2, false, null, false],
    ]);
    expect(fake.log().map(({ timestamp_created: time }) => time.slice(11, 19))).toEqual([
      '10:00:00',
      '10:00:05',
      '10:00:20',
    ]);
    expect(new Set(fake.log().map((entry) => entry.retry_group_id)).size).toBe(1);
    expect(new Set(target.received.map(({ body }) => body)).size).toBe(1);
    expect(new Date(fake.now()).toISOString()).toBe('2026-09-07T11:00:05.000Z');
  });

  test('that a retry mends is marked so on all earlier attempts', async () => {
    await start();
    target.answer = 503;
    await fake.emit('email_sent');
    await fake.advance(5_000);
    target.answer = 200;
    await fake.advance(15_000);
    expect(fake.log().map(fateOf)).toEqual([
      [false, 0, true, '10:00:05', true],
      [false, 1, true, '10:00:20', true],
      [true, 2, false, null, true],
    ]);
  });

  test('retries of several events run in the order they fall due', async () => {
    await start({}, { retryDelaysMs: [10_000] });
    target.answer = 500;
    await fake.emit({ event_type: 'email_sent', n: 1 });
    await fake.advance(4_000);
    await fake.emit({ event_type: 'email_sent', n: 2 });
    target.received.length = 0;
    await fake.advance(60_000);
    expect(target.received.map(({ body }) => JSON.parse(body).n)).toEqual([1, 2]);
  });

  test('a receiver that says nothing is one after the time-out, and so is one that is not there', async () => {
    await start({}, { timeoutMs: 50, retryDelaysMs: [] });
    target.answer = () => undefined;
    expect(await fake.emit('email_sent')).toMatchObject([{ status_code: null, error_message: 'Connection timeout' }]);
    await callFake(fake, `PATCH /webhooks/${fake.webhooks()[0]?.id}`, {
      body: { target_hook_url: 'http://127.0.0.1:1/' },
    });
    const [entry] = await fake.emit('email_sent');
    expect(entry).toMatchObject({
      success: false,
      status_code: null,
      error_message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('headers that cannot be sent are one, without a word of their values', async () => {
    await start({ headers: { 'x-secret': 'open\nsesame' } }, { retryDelaysMs: [] });
    const [entry] = await fake.emit('email_sent');
    expect(entry).toMatchObject({ success: false, status_code: null });
    expect(entry?.error_message).not.toContain('sesame');
  });
});

describe('a webhook whose deliveries fail', () => {
  const options = { retryDelaysMs: [1_000], disableAfter: 3 };

  async function failGroups(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await fake.emit('email_sent');
      await fake.advance(1_000);
    }
  }

  test('is disabled after so many groups in a row, gets nothing, and is resumed', async () => {
    const id = await start({}, options);
    target.answer = 500;
    await failGroups(2);
    expect(webhookOf(id)).toMatchObject({ status: 1, timestamp_error: null });
    await failGroups(1);
    expect(webhookOf(id)).toMatchObject({ status: -1, timestamp_error: '2026-09-07T10:00:03.000Z' });
    expect(fake.auditLog().at(-1)).toMatchObject({
      activity_type: 20,
      webhook_id: id,
      from_api: false,
      api_key_id: null,
    });
    target.answer = 200;
    const calls = target.received.length;
    expect(await fake.emit('email_sent')).toEqual([]);
    expect([target.received.length, fake.log().length]).toEqual([calls, calls]);
    expect((await callFake(fake, `POST /webhooks/${id}/resume`)).body).toMatchObject({
      id,
      status: 1,
      timestamp_error: null,
    });
    expect(fake.auditLog().at(-1)).toMatchObject({ activity_type: 21, webhook_id: id, from_api: true });
    target.answer = 500;
    await failGroups(2);
    expect(webhookOf(id)).toMatchObject({ status: 1 });
    target.answer = 200;
    expect(await fake.emit('email_sent')).toMatchObject([{ success: true }]);
  });

  test('is not, where one succeeds in between', async () => {
    const id = await start({}, options);
    for (let round = 0; round < 3; round += 1) {
      target.answer = 500;
      await failGroups(2);
      target.answer = 200;
      await failGroups(1);
    }
    expect(webhookOf(id)).toMatchObject({ status: 1 });
  });

  test('waiting retries are given up when it is disabled, and when it is deleted', async () => {
    const id = await start();
    target.answer = 500;
    await fake.emit('email_sent');
    fake.disable(id);
    expect(fake.log().map(fateOf)).toEqual([[false, 0, false, null, null]]);
    await callFake(fake, `POST /webhooks/${id}/resume`);
    await fake.advance(60_000);
    expect(target.received).toHaveLength(1);
    await fake.emit('email_opened');
    await callFake(fake, `DELETE /webhooks/${id}`);
    await fake.advance(60_000);
    expect(target.received).toHaveLength(2);
    expect(fake.log().map(({ will_retry: will }) => will)).toEqual([false, false]);
  });

  test('what happens meanwhile is in the log where it is asked to be', async () => {
    const id = await start({}, { whileDisabled: 'failed' });
    fake.disable(id);
    expect(await fake.emit('email_sent')).toMatchObject([
      {
        success: false,
        status_code: null,
        response_time_ms: null,
        will_retry: false,
        error_message: 'Webhook is disabled',
      },
    ]);
    expect(target.received).toEqual([]);
  });
});

describe('/test', () => {
  test('sends the same each time, changes nothing and is in no log', async () => {
    const id = await start({ headers: { 'x-webhook-secret': 'open sesame' } });
    const first = await callFake(fake, `POST /webhooks/${id}/test`);
    expect(first.body).toMatchObject({ success: true, message: 'Webhook test successful', status_code: 200 });
    expect(first.body).not.toHaveProperty('error');
    target.answer = 500;
    const second = await callFake(fake, `POST /webhooks/${id}/test`);
    expect(second.body).toMatchObject({
      success: false,
      status_code: 500,
      error: 'Request failed with status code 500',
    });
    expect(new Set(target.received.map(({ body }) => body)).size).toBe(1);
    expect(target.received[0]?.headers).toMatchObject({ 'x-webhook-secret': 'open sesame' });
    expect([fake.log(), webhookOf(id)]).toEqual([[], expect.objectContaining({ status: 1 })]);
  });
});

describe('changes', () => {
  test('each is an entry of the audit log that names who made it and what', async () => {
    const id = await start();
    await callFake(fake, `PATCH /webhooks/${id}`, {
      body: { name: 'n', headers: { 'x-webhook-secret': 'open sesame' } },
    });
    fake.disable(id);
    await callFake(fake, `POST /webhooks/${id}/resume`);
    await callFake(fake, `DELETE /webhooks/${id}`);
    const { body } = await callFake(fake, 'POST /api-keys', { body: { name: 'k', scopes: ['all:all'] } });
    const made = body as { id: string; key: string };
    await callFake(fake, `DELETE /api-keys/${made.id}`, { key: made.key });
    const entries = fake.auditLog();
    expect(entries.map((entry) => [entry.activity_type, entry.webhook_id, entry.from_api])).toEqual([
      [18, id, false],
      [19, id, true],
      [20, id, false],
      [21, id, true],
      [19, id, true],
      [37, null, true],
      [38, null, true],
    ]);
    expect(entries.at(-1)?.api_key_id).toBe(made.id);
    expect(entries[1]).toMatchObject({ ip_address: '127.0.0.1', audit_metadata: { keys: ['name', 'headers'] } });
    const text = JSON.stringify(entries);
    for (const secret of ['open sesame', made.key, fake.keys.all]) expect(text).not.toContain(secret);
  });
});
