import { afterEach, beforeEach, expect, test } from '@jest/globals';
import pino from 'pino';
import { Problem } from '../../src/errors/problem.ts';
import { Exchange } from '../../src/http/exchange.ts';
import { logRequest } from '../../src/http/log-requests.ts';
import { CapturedLog, type LogLine } from '../support/capture-log.ts';
import { converse, until } from '../support/converse.ts';
import { withToken } from '../support/credentials.ts';
import { observe } from '../support/observe.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { ask, askRaw, head, post, postHead, WEBHOOK_PATH, wholePost } from '../support/post.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

const BUDGET = 3;
let running: RunningReceiver;
beforeEach(async () => {
  running = await startReceiver({ ...BOTH_SCHEMES, AUDIT_ANONYMOUS_PER_MINUTE: String(BUDGET), BODY_LIMIT: '1kb' });
});
afterEach(() => running.stop());

const wrong = { 'x-webhook-secret': 'w'.repeat(40) };
const LONG = MARK.repeat(400);

/** Each kind of request that a stranger can send: its status and reason, and how. */
const STRANGERS: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['404 not-found', () => ask(running, { method: 'get', path: `/${LONG}` })],
  ['405 method-not-allowed', () => ask(running, { method: 'put', path: WEBHOOK_PATH })],
  ['401 missing', () => post(running, '{}', {})],
  ['401 mismatch', () => post(running, '{}', wrong)],
  ['413 body-too-large', () => post(running, 'x'.repeat(2_000), { 'x-instantly-signature': 'a'.repeat(64) })],
  ['415 unsupported-encoding', () => post(running, '{}', { 'content-encoding': 'zstd' })],
  ['400 malformed-request', () => askRaw(running, `${LONG}\r\n\r\n`)],
  ['400 several-hosts', () => askRaw(running, postHead('Host: b'))],
  ['431 headers-too-large', () => askRaw(running, postHead(`x: ${'a'.repeat(20_000)}`))],
  ['405 method-not-allowed', () => askRaw(running, head(`CONNECT ${MARK}:443 HTTP/1.1`, 'Host: a'))],
  ['200 ok', () => ask(running, { method: 'get', path: '/healthz' })],
  ['200 ok', () => ask(running, { method: 'get', path: '/metrics' })],
  [
    '408 too-many-unanswered',
    () => converse(running, (client) => client.send(head('GET /metrics HTTP/1.1', 'Host: a').repeat(200)).closed),
  ],
];

const countOf = ({ count }: LogLine): number => Number(count ?? 1);

test('the lines of strangers share the budget of their entries, and are summed up beyond it', async () => {
  const from = running.log.lines.length;
  const { cursor } = await running.receiver.store.tailAudit(1);
  for (let round = 0; round < 5; round += 1) for (const [, send] of STRANGERS) await send();
  expect(await post(running, freshBody(), withToken)).toMatchObject({ status: 200 });
  await running.log.waitForRequests(BUDGET + 1, from);
  // The last sixteen answers of each crowd, and what else is on its way, end before this one.
  running.receiver.trail.drain();
  await running.receiver.commits.settle();
  const lines = running.log.lines.slice(from);
  const single = lines.filter(({ msg }) => msg === 'request');
  const sums = lines.filter(({ msg }) => msg === 'requests');
  expect(single).toHaveLength(BUDGET + 1);
  expect(single.at(-1)).toMatchObject({ status: 200, reason: 'accepted' });
  expect(lines).toHaveLength(single.length + sums.length);
  const seen = new Set([...single, ...sums].map(({ status, reason }) => `${status} ${reason}`));
  for (const [kind] of STRANGERS) expect(seen).toContain(kind);
  // Each line is an entry, and says the same; of a chain's start there is an entry alone.
  const { entries } = await running.receiver.store.tailAudit(10_000, cursor);
  const facts = (line: LogLine) => [line['action'], line['status'], line['reason'], countOf(line)];
  const audited = entries
    .filter(({ action }) => action !== 'audit.chain.start')
    .map(({ action, metadata }) => facts({ action, ...metadata }));
  expect([...single, ...sums].map(facts).toSorted()).toEqual(audited.toSorted());
});

test('the lines of proven senders are never dropped, whatever becomes of their requests', async () => {
  for (let n = 0; n <= BUDGET; n += 1) await post(running, '{}', {});
  const from = running.log.lines.length;
  await post(running, freshBody(), withToken);
  await post(running, 'not JSON', withToken);
  await post(running, 'x'.repeat(2_000), withToken);
  await converse(running, async (client) => {
    client.send(wholePost(freshBody(), withToken).subarray(0, -10));
    await until(
      () => running.receiver.metrics.requests.bufferedBytes.get().then(({ values }) => (values[0]?.value ?? 0) > 0),
      'the body arrives',
    );
    client.destroy();
  });
  const lines = await running.log.waitForRequests(4, from);
  expect(lines.map(({ status }) => status)).toEqual([200, 400, 413, 499]);
  await running.receiver.commits.settle();
});

test('no line of a stranger is longer than a thousand bytes, and none holds what it sent', async () => {
  await running.stop();
  running = await startReceiver({ ...BOTH_SCHEMES, BODY_LIMIT: '1kb', AUDIT_ANONYMOUS_PER_MINUTE: '1000' });
  const from = running.log.lines.length;
  const settle = await observe(running);
  const headers = {
    'x-request-id': 'r'.repeat(128),
    'user-agent': LONG,
    referer: LONG,
    'x-forwarded-for': LONG,
    'content-type': LONG.slice(0, 500),
    ...wrong,
  };
  for (const method of ['get', 'post', 'options'] as const) {
    await ask(running, { method, path: `${WEBHOOK_PATH}?${LONG}`, headers });
    await ask(running, { method, path: `/${LONG}`, headers });
  }
  await settle(6);
  for (const line of running.log.lines.slice(from)) {
    expect(JSON.stringify(line).length).toBeLessThan(1_000);
    expect(JSON.stringify(line)).not.toContain(MARK);
  }
});

test('of a fault that a stranger has met, the log has the beginning alone', () => {
  const log = new CapturedLog();
  const exchange = new Exchange({ method: 'GET', headers: {} }, '192.0.2.1');
  exchange.fail(new Problem('internal-error'));
  exchange.failure = new Error('quoted '.repeat(1_000));
  logRequest(pino({ base: null }, log), exchange);
  expect(log.lines.map(({ msg }) => msg)).toEqual(['a request could not be served', 'request']);
  for (const line of log.lines) expect(JSON.stringify(line).length).toBeLessThan(1_000);
});
