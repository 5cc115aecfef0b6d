import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express, { type ErrorRequestHandler } from 'express';
import request from 'supertest';
import { signHeaders } from '../../src/authenticate/index.ts';
import { type Refusal, type VerifyInstantlyWebhookOptions, verifyInstantlyWebhook } from '../../src/express.ts';
import { settingsOf } from '../unit/authenticate-support.ts';

const TOKEN = 'a-token-of-this-test-alone';
const SECRET = 'a-secret-of-this-test-alone';
const BODY = '{"event_type": "reply_received",\n "lead_email":"a@b.example","text":"Gr\\u00fc\u00dfe"}';
const proven = { 'x-webhook-secret': TOKEN };
const signed = (body: string | Uint8Array) => ({
  'x-instantly-signature': createHmac('sha256', SECRET).update(body).digest('hex'),
});

let refused: Refusal[];
let handled: number;
beforeEach(() => {
  refused = [];
  handled = 0;
});

const passOn: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(500).json({ passedOn: String(error) });
};

function appWith(options: VerifyInstantlyWebhookOptions = { token: TOKEN, secret: SECRET }) {
  const app = express();
  const verify = verifyInstantlyWebhook({ onRefused: (refusal) => refused.push(refusal), ...options });
  app.all('/hook', verify, (received, response) => {
    handled += 1;
    const { rawBody, payload, principal } = received.instantly ?? {};
    response.json({ raw: Buffer.from(rawBody ?? []).toString('base64'), payload, principal });
  });
  return app.use(passOn);
}

const post = (options?: VerifyInstantlyWebhookOptions) => request(appWith(options)).post('/hook').type('json');

describe('verifyInstantlyWebhook lets in', () => {
  const shown = { payload: JSON.parse(BODY), raw: Buffer.from(BODY).toString('base64') };

  test('a right token, with the bytes as they came', async () => {
    const answer = await post().set(proven).send(BODY);
    expect([answer.status, answer.body]).toEqual([200, { ...shown, principal: 'instantly:token:1' }]);
    expect([handled, refused]).toEqual([1, []]);
  });

  test('a right signature', async () => {
    const answer = await post().set(signed(BODY)).send(BODY);
    expect(answer.body).toEqual({ ...shown, principal: 'instantly:hmac:1' });
  });

  test('both, where both are asked for', async () => {
    const both = { token: TOKEN, secret: SECRET, require: 'both' } as const;
    const answer = await post(both).set(proven).set(signed(BODY)).send(BODY);
    expect(answer.body).toEqual({ ...shown, principal: 'instantly:hmac:1+instantly:token:1' });
    for (const one of [proven, signed(BODY)]) expect((await post(both).set(one).send(BODY)).status).toBe(401);
  });

  test.each([
    ['a list', ['the-current-token-is-this', TOKEN]],
    ['a text with commas, as the environment has it', `the-current-token-is-this, ${TOKEN}`],
  ])('the second token of %s', async (_name, token) => {
    const answer = await post({ token }).set(proven).send(BODY);
    expect(answer.body).toMatchObject({ principal: 'instantly:token:2' });
  });

  test('other headers and other schemes', async () => {
    const bearer = { authorization: `Bearer ${TOKEN}` };
    expect((await post({ token: TOKEN, tokenHeader: 'Authorization' }).set(bearer).send(BODY)).status).toBe(200);
    const key = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`;
    const scheme = 'standard-webhooks';
    const settings = settingsOf({ keys: [key], signatureScheme: scheme });
    const headers = signHeaders(settings, Buffer.from(BODY), Date.now());
    expect((await post({ secret: key, scheme }).set(headers).send(BODY)).status).toBe(200);
  });

  test('a packed body, signed as it came and parsed as it is', async () => {
    const packed = gzipSync(BODY);
    const pending = post().set({ ...signed(packed), 'content-encoding': 'gzip' });
    const answer = await pending.serialize((data: unknown) => data as string).send(packed);
    expect(answer.body).toEqual({ ...shown, raw: packed.toString('base64'), principal: 'instantly:hmac:1' });
  });
});

describe('verifyInstantlyWebhook refuses, as the receiver does,', () => {
  const limits = { token: TOKEN, secret: SECRET, bodyLimitBytes: 100 };

  test.each<[string, number, string, string, () => request.Test]>([
    ['nothing', 401, 'unauthenticated', 'missing', () => post().send(BODY)],
    [
      'a wrong token',
      401,
      'unauthenticated',
      'mismatch',
      () => post().set('x-webhook-secret', 'x'.repeat(30)).send('{}'),
    ],
    ['a signature of another body', 401, 'unauthenticated', 'mismatch', () => post().set(signed('{}')).send(BODY)],
    [
      'a signature that is none',
      401,
      'unauthenticated',
      'malformed',
      () => post().set('x-instantly-signature', 'x').send(BODY),
    ],
    [
      'a body over the limit',
      413,
      'body-too-large',
      'body-too-large',
      () =>
        post(limits)
          .set(proven)
          .send(`{"a":"${'x'.repeat(200)}"}`),
    ],
    [
      'a body that unpacks to more',
      413,
      'body-too-large',
      'body-too-large',
      () => {
        const pending = post(limits).set(proven).set('content-encoding', 'gzip');
        return pending.serialize((data: unknown) => data as string).send(gzipSync(`{"a":"${'x'.repeat(200)}"}`));
      },
    ],
    [
      'an unknown coding',
      415,
      'unsupported-encoding',
      'unsupported-encoding',
      () => post().set(proven).set('content-encoding', 'zstd').send(BODY),
    ],
    ['no JSON', 400, 'unreadable-body', 'not-json', () => post().set(proven).send('a=b')],
    ['no object', 400, 'unreadable-body', 'not-an-object', () => post().set(proven).send('[]')],
    ['an empty body', 400, 'unreadable-body', 'not-json', () => post().set(proven)],
    [
      'another method',
      405,
      'method-not-allowed',
      'method-not-allowed',
      () => request(appWith()).put('/hook').set(proven).send(BODY),
    ],
  ])('%s with %i', async (_name, status, code, reason, send) => {
    const answer = await send();
    expect([answer.status, answer.type]).toEqual([status, 'application/problem+json']);
    const id = answer.headers['x-request-id'];
    expect(JSON.parse(answer.text)).toEqual({
      type: `urn:instantly-webhook-receiver:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: `urn:instantly-webhook-receiver:request:${id}`,
      code,
    });
    if (status === 405) expect(answer.headers['allow']).toBe('POST');
    expect(refused).toEqual([{ status, code, reason, requestId: id, ip: '127.0.0.1' }]);
    expect(handled).toBe(0);
  });

  test('the failures of one address beyond the limit with 429, and lets its authentic requests in', async () => {
    const app = appWith({ token: TOKEN, failedAuthPerMinute: 2 });
    const statuses: number[] = [];
    for (let n = 0; n < 3; n += 1) statuses.push((await request(app).post('/hook').send('{}')).status);
    expect(statuses).toEqual([401, 401, 429]);
    expect((await request(app).post('/hook').set(proven).send('{}')).status).toBe(200);
  });

  test('a body that does not come in time with 408', async () => {
    const server = createServer(appWith({ token: TOKEN, bodyTimeoutMs: 20 })).listen(0);
    const socket = connect((server.address() as AddressInfo).port);
    socket.write(`POST /hook HTTP/1.1\r\nHost: a\r\nx-webhook-secret: ${TOKEN}\r\nContent-Length: 9\r\n\r\n{`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
    server.close();
  });

  test('bodies that do not fit its memory with 503, and has all of it again afterwards', async () => {
    const app = appWith({ token: TOKEN, bodyLimitBytes: 1_000, maxBufferedBytes: 1_000 });
    const body = `{"a":"${'x'.repeat(980)}"}`;
    for (let n = 0; n < 5; n += 1) expect((await request(app).post('/hook').set(proven).send(body)).status).toBe(200);
    const small = appWith({ token: TOKEN, bodyLimitBytes: 1_000, maxBufferedBytes: 500 });
    const answer = await request(small).post('/hook').set(proven).send(body);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
  });
});

describe('a body that was read before', () => {
  test.each([
    ['express.json()', express.json()],
    ['express.raw()', express.raw({ type: '*/*' })],
    ['express.text()', express.text({ type: '*/*' })],
    ['express.urlencoded()', express.urlencoded({ type: '*/*' })],
  ])('by %s is an error for the application, which says what to do', async (_name, parser) => {
    const answer = await request(express().use(parser, appWith()))
      .post('/hook')
      .type('json')
      .set(proven)
      .send('{"a":"b"}');
    expect([answer.status, answer.body.passedOn]).toEqual([
      500,
      expect.stringContaining('mount it before express.json()'),
    ]);
    expect(handled).toBe(0);
  });

  test('is none where the parser comes behind it, or has left the body alone', async () => {
    const app = express().use(express.urlencoded(), appWith().use(express.json()));
    expect((await request(app).post('/hook').type('json').set(proven).send('{}')).status).toBe(200);
  });
});

describe('options', () => {
  const environment = { ...process.env };
  afterEach(() => {
    process.env = { ...environment };
  });

  test('come from nowhere but the call', () => {
    Object.assign(process.env, { INSTANTLY_WEBHOOK_TOKEN: TOKEN, INSTANTLY_SECRET: SECRET });
    expect(() => verifyInstantlyWebhook({})).toThrow('token or secret must be set');
  });

  test.each<[VerifyInstantlyWebhookOptions, string]>([
    [{ token: undefined, secret: '' }, 'token or secret must be set'],
    [{ token: 'short' }, 'token has a key that is shorter than 16 characters'],
    [{ secret: 'short', tokenHeader: 'host' }, 'secret has a key'],
    [{ token: TOKEN, tokenHeader: 'a b' }, 'tokenHeader must be the name'],
    [{ token: TOKEN, require: 'both' }, "require: 'both' needs token and secret"],
    [{ secret: SECRET, scheme: 'svix' }, 'whsec_'],
    [{ secret: SECRET, scheme: 'made-up' as 'body' }, 'scheme must be one of body, timestamped'],
    [{ secret: SECRET, toleranceSeconds: Number.NaN }, 'toleranceSeconds'],
  ])('that cannot be used end the start: %j', (options, words) => {
    expect(() => verifyInstantlyWebhook(options)).toThrow(TypeError);
    expect(() => verifyInstantlyWebhook(options)).toThrow(words);
    for (const key of [TOKEN, SECRET, 'short']) expect(() => verifyInstantlyWebhook(options)).not.toThrow(`"${key}"`);
  });
});
