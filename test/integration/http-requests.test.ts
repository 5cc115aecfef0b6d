import { describe, expect, test } from '@jest/globals';
import type { Expected } from '../support/check-case.ts';
import { METRICS_TOKEN, withToken } from '../support/credentials.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { ask, askRaw, fields, head, type Method, post, postHead, WEBHOOK_PATH, wholePost } from '../support/post.ts';
import { type Row, row, runTable } from '../support/run-table.ts';
import { BOTH_SCHEMES, startReceiver } from '../support/start-receiver.ts';

const NOT_FOUND: Expected = { outcome: 'not-found', action: 'request.refuse' };
const HEALTH = { action: 'health.check', method: 'GET' } as const;
const TOKEN_FIELDS = fields(withToken);

const notFound = (path: string): Row =>
  row(`POST ${path}`, (running) => ask(running, { path, headers: withToken, body: freshBody() }), NOT_FOUND);

/** A target that an ordinary client would rewrite or refuse to send. */
const notFoundRaw = (target: string, method = 'GET'): Row =>
  row(
    `${method} ${target}`,
    (running) => askRaw(running, head(`${method} ${target} HTTP/1.1`, 'Host: receiver.example'), method),
    { ...NOT_FOUND, method },
  );

const acceptedAt = (target: string): Row =>
  row(
    `POST ${target}`,
    (running) => {
      const body = freshBody();
      const length = `Content-Length: ${Buffer.byteLength(body)}`;
      return askRaw(running, head(`POST ${target} HTTP/1.1`, 'Host: receiver.example', length, ...TOKEN_FIELDS) + body);
    },
    { outcome: 'accepted', userId: 'instantly:token:1' },
  );

const notAllowed = (method: Method, path: string, allow: string, expected: Partial<Expected> = {}): Row =>
  row(
    `${method.toUpperCase()} ${path}`,
    (running) => ask(running, { method, path, headers: withToken }),
    { outcome: 'method-not-allowed', method: method.toUpperCase(), ...expected },
    ({ answer }) => expect(answer.headers['allow']).toBe(allow),
  );

const notAllowedRaw = (method: string, audited: string): Row =>
  row(
    `${method} ${WEBHOOK_PATH}`,
    (running) => askRaw(running, head(`${method} ${WEBHOOK_PATH} HTTP/1.1`, 'Host: receiver.example'), method),
    { outcome: 'method-not-allowed', method: audited },
    ({ answer }) => expect(answer.headers['allow']).toBe('POST'),
  );

runTable('paths', BOTH_SCHEMES, [
  acceptedAt(WEBHOOK_PATH),
  acceptedAt(`${WEBHOOK_PATH}?a=${MARK}&b=%zz`),
  acceptedAt(`http://receiver.example${WEBHOOK_PATH}`),
  ...[`${WEBHOOK_PATH}/`, `${WEBHOOK_PATH}//?${MARK}`, '/Webhooks/Instantly', '//webhooks///INSTANTLY/'].map(
    acceptedAt,
  ),
  acceptedAt(`https://receiver.example:8443${WEBHOOK_PATH}?${MARK}`),
  notFound('/'),
  notFound(`/${MARK}`),
  notFound('/webhooks'),
  notFound(`${WEBHOOK_PATH}/${MARK}`),
  notFound('/webhooks/%69nstantly'),
  notFound('/%'),
  notFound('/HEALTHZ'),
  notFound('/healthz/'),
  notFound('/webhooks/instantly/.'),
  notFound(`${WEBHOOK_PATH}${'/'.repeat(8_000)}${MARK}`),
  notFoundRaw(`//receiver.example${WEBHOOK_PATH}`, 'POST'),
  notFoundRaw(`/${MARK}/..${WEBHOOK_PATH}`, 'POST'),
  notFoundRaw(`${WEBHOOK_PATH}%00`, 'POST'),
  notFoundRaw(`/favicon.ico?${MARK}`),
  notFoundRaw('*', 'OPTIONS'),
  notFoundRaw('*'),
  notFoundRaw('http://receiver.example'),
  notFoundRaw(`http://receiver.example?${MARK}`),
  notFoundRaw(`http://[${MARK}/`),
  notFoundRaw(`http://receiver.example:99999999/${MARK}`),
  notFoundRaw(`ftp://receiver.example${WEBHOOK_PATH}`, 'POST'),
  notFoundRaw(`${WEBHOOK_PATH}#${MARK}`, 'POST'),
  { ...notFoundRaw(`/${'a'.repeat(14_000)}`), name: 'GET a path of 14 KB' },
]);

const OWN_PATH = '/hooks/a.b~c_d-1';

runTable("a path of one's own", { ...BOTH_SCHEMES, WEBHOOK_PATH: OWN_PATH }, [
  row(`POST ${OWN_PATH}`, (running) => ask(running, { path: OWN_PATH, headers: withToken, body: freshBody() }), {
    outcome: 'accepted',
    userId: 'instantly:token:1',
    resource: OWN_PATH,
  }),
  row(
    'POST /HOOKS//a.b~c_d-1/',
    (running) => ask(running, { path: '/HOOKS//a.b~c_d-1/', headers: withToken, body: freshBody() }),
    {
      outcome: 'accepted',
      userId: 'instantly:token:1',
      resource: OWN_PATH,
    },
  ),
  notFound('/hooks/axb~c_d-1'),
  notFound(WEBHOOK_PATH),
]);

runTable('methods', BOTH_SCHEMES, [
  ...(['get', 'head', 'put', 'patch', 'delete', 'options'] as const).map((method) =>
    notAllowed(method, WEBHOOK_PATH, 'POST'),
  ),
  notAllowedRaw('TRACE', 'TRACE'),
  notAllowedRaw('PROPFIND', 'other'),
  notAllowedRaw('QUERY', 'other'),
  notAllowed('post', '/healthz', 'GET, HEAD', { action: 'health.check' }),
  notAllowed('delete', '/readyz', 'GET, HEAD', { action: 'health.check', resource: '/readyz' }),
  notAllowed('post', '/metrics', 'GET, HEAD', { action: 'metrics.scrape' }),
  row(
    'CONNECT',
    (running) => askRaw(running, head(`CONNECT ${MARK}.example:443 HTTP/1.1`, 'Host: receiver.example'), 'CONNECT'),
    { outcome: 'method-not-allowed', method: 'CONNECT', action: 'request.refuse' },
    ({ answer }) => {
      expect([answer.headers['connection'], answer.headers['allow']]).toEqual(['close', 'GET, HEAD, POST']);
    },
  ),
  row(
    'CONNECT with a body',
    (running) =>
      askRaw(
        running,
        `${head(`CONNECT ${MARK}.example:443 HTTP/1.1`, 'Host: receiver.example', 'Content-Length: 9')}abc`,
        'CONNECT',
      ),
    { outcome: 'method-not-allowed', method: 'CONNECT', action: 'request.refuse', metadata: { ip: '127.0.0.1' } },
  ),
]);

runTable('health', BOTH_SCHEMES, [
  row(
    'GET /healthz',
    (running) => ask(running, { method: 'get', path: '/healthz' }),
    { ...HEALTH, outcome: 'ok' },
    ({ answer }) => expect(JSON.parse(answer.text)).toEqual({ status: 'ok' }),
  ),
  row('HEAD /healthz', (running) => ask(running, { method: 'head', path: '/healthz' }), {
    ...HEALTH,
    method: 'HEAD',
    outcome: 'ok',
  }),
  row('GET /healthz with a query', (running) => ask(running, { method: 'get', path: `/healthz?${MARK}` }), {
    ...HEALTH,
    outcome: 'ok',
  }),
  row('GET /readyz', (running) => ask(running, { method: 'get', path: '/readyz' }), {
    ...HEALTH,
    resource: '/readyz',
    outcome: 'ok',
  }),
  row('HEAD /readyz', (running) => ask(running, { method: 'head', path: '/readyz' }), {
    ...HEALTH,
    method: 'HEAD',
    resource: '/readyz',
    outcome: 'ok',
  }),
]);

describe('the request id', () => {
  const asked = async (...ids: readonly string[]): Promise<string> => {
    const running = await startReceiver();
    try {
      const answer = await askRaw(
        running,
        wholePost(freshBody(), withToken, ...ids.map((id) => `X-Request-Id: ${id}`)),
      );
      const [line] = await running.log.waitForRequests(1);
      expect(line?.['requestId']).toBe(answer.headers['x-request-id']);
      return answer.headers['x-request-id'] ?? '';
    } finally {
      await running.stop();
    }
  };

  test.each(['7', 'a.b_c-D9', 'f'.repeat(64)])('%s is kept', async (id) => {
    expect(await asked(id)).toBe(id);
  });

  test.each([
    ['empty', ['']],
    ['too long', ['f'.repeat(65)]],
    ['with white space', ['a b']],
    ['an address', ['nora@northwind.example']],
    ['markup', ['<script>']],
    ['repeated', ['one', 'two']],
  ])('%s is replaced', async (_name, ids) => {
    expect(await asked(...ids)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });
});

runTable('forms of one request', { ...BOTH_SCHEMES, METRICS_TOKEN }, [
  row(
    'a query beside it',
    (running) => ask(running, { path: `${WEBHOOK_PATH}?x=1`, headers: withToken, body: freshBody() }),
    {
      outcome: 'accepted',
      userId: 'instantly:token:1',
      metadata: { eventType: 'reply_received' },
    },
  ),
  row('no Host on HTTP/1.1', (running) => askRaw(running, head(`POST ${WEBHOOK_PATH} HTTP/1.1`, ...TOKEN_FIELDS)), {
    outcome: 'malformed-request',
    reason: 'no-host',
    action: 'request.refuse',
  }),
  row(
    'no Host on HTTP/1.0',
    (running) => {
      const body = freshBody();
      const length = `Content-Length: ${Buffer.byteLength(body)}`;
      return askRaw(running, head(`POST ${WEBHOOK_PATH} HTTP/1.0`, length, ...TOKEN_FIELDS) + body);
    },
    { outcome: 'accepted', userId: 'instantly:token:1' },
  ),
  row(
    'an upgrade that is not taken up',
    (running) => askRaw(running, wholePost(freshBody(), withToken, 'Connection: Upgrade', 'Upgrade: websocket')),
    {
      outcome: 'accepted',
      userId: 'instantly:token:1',
    },
  ),
  row('no body and no length', (running) => askRaw(running, postHead(...TOKEN_FIELDS)), {
    outcome: 'unreadable-body',
    reason: 'not-json',
    userId: 'instantly:token:1',
  }),
  row(
    'the headers of a browser beside it',
    (running) =>
      post(running, freshBody(), { ...withToken, cookie: MARK, accept: '*/*', referer: `https://${MARK}.example/` }),
    {
      outcome: 'accepted',
      userId: 'instantly:token:1',
    },
  ),
]);
