import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express';
import pino from 'pino';
import request from 'supertest';
import type { AuditDraft } from '../../src/audit/entry.ts';
import { Problem } from '../../src/errors/problem.ts';
import { createApp } from '../../src/http/app.ts';
import { BufferBudget } from '../../src/http/buffer-budget.ts';
import { Exchange, requireExchange } from '../../src/http/exchange.ts';
import { limitFailures } from '../../src/http/limit-failures.ts';
import { OpenRequests } from '../../src/http/open-requests.ts';
import { type Credentials, createRawBody } from '../../src/http/raw-body.ts';
import { createReceive } from '../../src/http/receive.ts';
import { createVerify } from '../../src/http/verify.ts';
import { CapturedLog } from '../support/capture-log.ts';
import { withToken } from '../support/credentials.ts';
import { fields, head } from '../support/post.ts';
import { RawClient } from '../support/raw-client.ts';
import { authenticatorOf } from './authenticate-support.ts';

const { 'x-webhook-secret': token = '' } = withToken;
const failures = limitFailures(100);
const open = new OpenRequests();
const budget = new BufferBudget({ maxBufferedBytes: 1_000_000, bodyLimitBytes: 100_000 }, true, open);

const credentialsOf = (tokenId: string): Credentials => ({
  authenticator: authenticatorOf({ tokens: [token] }),
  tokenIds: [tokenId],
});

let inForce: Credentials;
let stored: number;
beforeEach(() => {
  inForce = credentialsOf('before');
  stored = 0;
});

const rawBody = createRawBody({ credentials: () => inForce, budget, bodyLimitBytes: 100_000, failures });
const verify = createVerify(rawBody, { failures, budget, onSignatureMismatch: () => undefined });
const keep = async (): Promise<never> => {
  stored += 1;
  throw new Error('the test stores nothing');
};
const receive = createReceive(verify, {
  inbox: { interpret: keep, accept: keep, quarantine: keep, isTooOld: () => false },
  budget,
  bodyLimitBytes: 100_000,
  onUnusableCoding: () => undefined,
  onAccepted: () => undefined,
});

const begin: RequestHandler = (received, _response, next) => {
  new Exchange(received, '192.0.2.1').attachTo(received);
  next();
};
const asText: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(error instanceof Problem ? error.status : 500).send(String(error));
};

function appOf(...handlers: RequestHandler[]) {
  return express().use(begin).post('/', handlers).use(asText);
}

const end: RequestHandler = (received, response) => {
  response.json(requireExchange(received).audit());
};

describe('the middlewares of the webhook', () => {
  test.each<[string, RequestHandler[], string]>([
    ['receive without verify', [rawBody, receive], 'verify has to come before'],
    ['receive by itself', [receive], 'verify has to come before'],
    ['receive before verify', [receive, rawBody, verify], 'verify has to come before'],
    ['verify without rawBody', [verify, receive], 'rawBody has to come before'],
  ])('%s stores nothing and answers 500, even with the right token', async (_name, handlers, words) => {
    const answer = await request(appOf(...handlers))
      .post('/')
      .set(withToken)
      .send({ a: 1 });
    expect([answer.status, answer.text]).toEqual([500, expect.stringContaining(words)]);
    expect(stored).toBe(0);
  });

  test('an impostor on the request proves nothing', async () => {
    const plant: RequestHandler = (received, _response, next) => {
      Object.assign(received, { verified: { delivery: {} }, delivery: {}, [Symbol('verified')]: { delivery: {} } });
      next();
    };
    const answer = await request(appOf(plant, rawBody, receive))
      .post('/')
      .set(withToken)
      .send({ a: 1 });
    expect([answer.status, stored]).toEqual([500, 0]);
  });

  test('verify hands on the very bytes, and who sent them', async () => {
    const tell: RequestHandler = (received, response) => {
      const { delivery } = verify.of(received);
      response.json({ text: Buffer.from(delivery.body).toString('utf8'), principal: delivery.principal });
    };
    const text = '{"b": 1,\n "a":"\\u00e4"}';
    const answer = await request(appOf(rawBody, verify, tell))
      .post('/')
      .type('json')
      .set(withToken)
      .send(text);
    expect(answer.body).toEqual({ text, principal: 'instantly:token:1' });
  });

  test('a request keeps the credentials of its headers, whatever is reloaded before its body', async () => {
    const server = createServer(appOf(rawBody, verify, end)).listen(0);
    const { port } = server.address() as AddressInfo;
    const begun = new Promise<void>((resolve) => server.once('request', (_request: Request) => setImmediate(resolve)));
    const client = await RawClient.connect(port);
    client.send(`${head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 2', ...fields(withToken))}{`);
    await begun;
    inForce = { authenticator: authenticatorOf({ tokens: ['another-token-0123456789'] }), tokenIds: ['after'] };
    const answer = await client.send('}').answer('POST');
    expect(answer?.status).toBe(200);
    const { userId, metadata } = JSON.parse(answer?.text ?? '') as AuditDraft;
    expect([userId, metadata['tokenId']]).toEqual(['instantly:token:1', 'before']);
    client.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('the application', () => {
  const log = new CapturedLog();
  const ended: Exchange[] = [];
  afterEach(() => {
    ended.length = 0;
  });
  const say: RequestHandler = (received, response) => {
    received.log.info({ req: received, res: response, more: 1 }, 'from a route');
    requireExchange(received).end(200, 'ok');
    response.json({});
  };
  const app = createApp({
    webhookPath: '/hook',
    webhook: undefined,
    health: say,
    ready: say,
    metrics: say,
    logger: pino({ base: null }, log),
    budget,
    trustProxy: 0,
    bodyLimitBytes: 100_000,
    isStopping: () => false,
    onBegin: () => undefined,
    onEnd: (exchange) => ended.push(exchange),
  });

  test('request.log names the request, and shows nothing else of it', async () => {
    await request(createServer(app)).get('/healthz').set({ 'x-request-id': 'my-id', cookie: 'c=d' });
    expect(log.lines).toEqual([
      { level: 30, time: expect.any(Number), requestId: 'my-id', more: 1, msg: 'from a route' },
    ]);
    expect(ended.map(({ id, route }) => [id, route.action])).toEqual([['my-id', 'health.check']]);
  });

  test('a path that this process does not serve is of no route', async () => {
    const answer = await request(createServer(app)).post('/hook');
    expect(answer.status).toBe(404);
    expect(ended.map(({ route }) => route.action)).toEqual(['request.refuse']);
  });
});
