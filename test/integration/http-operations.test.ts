import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { makeAccept, makeBatch } from '../contract/make-parts.ts';
import { checkCase, type Expected } from '../support/check-case.ts';
import { until } from '../support/converse.ts';
import { METRICS_TOKEN, withToken } from '../support/credentials.ts';
import type { RawAnswer } from '../support/parse-answer.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { ask, askRaw, head, post } from '../support/post.ts';
import { row, runTable, type Sender } from '../support/run-table.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';
import { storeFile } from '../support/store-file.ts';

const METRICS: Expected = { outcome: 'ok', action: 'metrics.scrape', method: 'GET' };
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

const scrape =
  (headers: Readonly<Record<string, string>> = {}, method: 'get' | 'head' = 'get'): Sender =>
  (running) =>
    ask(running, { method, path: '/metrics', headers });

const bearer = (token: string): Sender => scrape({ authorization: `Bearer ${token}` });

function isPrometheus({ headers, text }: RawAnswer): void {
  expect(headers['content-type']).toBe(PROMETHEUS);
  expect(text).toMatch(/^# TYPE instantly_webhook_requests_total counter$/m);
  expect(text).toMatch(/^instantly_buffered_bytes 0$/m);
  expect(text).toMatch(/^process_cpu_seconds_total \d/m);
  expect(text).not.toContain('# EOF');
}

function isOpenMetrics({ headers, text }: RawAnswer): void {
  expect(headers['content-type']).toBe(OPEN_METRICS);
  expect(text).toMatch(/^# TYPE instantly_webhook_requests counter$/m);
  expect(text.endsWith('\n# EOF\n') || text.endsWith('\n# EOF')).toBe(true);
}

runTable('metrics for everybody', BOTH_SCHEMES, [
  row('first an event', (running) => post(running, freshBody({ event_type: `Label ${MARK}` }), withToken), {
    outcome: 'accepted',
    userId: 'instantly:token:1',
  }),
  row('GET', scrape(), METRICS, ({ answer }) => {
    isPrometheus(answer);
    expect(answer.text).toMatch(/^instantly_webhook_requests_total\{outcome="accepted"\} 1$/m);
    expect(answer.text).toMatch(/^instantly_events_total\{event_type="custom"\} 1$/m);
  }),
  row('OpenMetrics', scrape({ accept: 'application/openmetrics-text; version=1.0.0' }), METRICS, ({ answer }) =>
    isOpenMetrics(answer),
  ),
  row(
    'as Prometheus asks',
    scrape({ accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1' }),
    METRICS,
    ({ answer }) => isOpenMetrics(answer),
  ),
  row('HEAD', scrape({}, 'head'), { ...METRICS, method: 'HEAD' }, ({ answer }) => {
    expect([answer.headers['content-type'], answer.text]).toEqual([PROMETHEUS, '']);
  }),
  row('with credentials that nobody asked for', bearer(`wrong-${MARK}`), METRICS, ({ answer }) => isPrometheus(answer)),
]);

const REFUSED: Expected = { outcome: 'unauthenticated', action: 'metrics.scrape', method: 'GET' };

runTable('metrics with a token', { ...BOTH_SCHEMES, METRICS_TOKEN }, [
  row('right', bearer(METRICS_TOKEN), { ...METRICS, userId: 'metrics' }, ({ answer }) => isPrometheus(answer)),
  row(
    'right, OpenMetrics',
    scrape({ authorization: `Bearer ${METRICS_TOKEN}`, accept: 'application/openmetrics-text' }),
    { ...METRICS, userId: 'metrics' },
    ({ answer }) => isOpenMetrics(answer),
  ),
  row('right, HEAD', scrape({ authorization: `Bearer ${METRICS_TOKEN}` }, 'head'), {
    ...METRICS,
    userId: 'metrics',
    method: 'HEAD',
  }),
  row('absent', scrape(), { ...REFUSED, reason: 'missing' }, ({ answer }) =>
    expect(answer.headers['www-authenticate']).toBe('Bearer'),
  ),
  row('absent, HEAD', scrape({}, 'head'), { ...REFUSED, method: 'HEAD', reason: 'missing' }),
  row('wrong', bearer(`wrong-${MARK}`), { ...REFUSED, reason: 'mismatch' }),
  row('the webhook token', bearer(withToken['x-webhook-secret'] ?? ''), { ...REFUSED, reason: 'mismatch' }),
  row('10 KB long', bearer('a'.repeat(10_000)), { ...REFUSED, reason: 'too-long' }),
  row(
    'repeated',
    (running) => {
      const field = `Authorization: Bearer ${METRICS_TOKEN}`;
      return askRaw(running, head('GET /metrics HTTP/1.1', 'Host: a', field, field), 'GET');
    },
    { ...REFUSED, reason: 'repeated' },
  ),
]);

const NOT_ALLOWED: Expected = { ...REFUSED, reason: 'not-allowed' };

runTable('metrics without a token, from this machine', BOTH_SCHEMES, [
  row('passed on by a proxy that is not believed', scrape({ 'x-forwarded-for': '127.0.0.1' }), NOT_ALLOWED),
  row('the same by RFC 7239', scrape({ forwarded: 'for=127.0.0.1' }), NOT_ALLOWED),
  row('the same by Via', scrape({ via: '1.1 proxy' }), NOT_ALLOWED),
  row('the same by X-Real-IP', scrape({ 'x-real-ip': '8.8.8.8' }), NOT_ALLOWED),
]);

runTable('metrics without a token, behind a proxy that is believed', { ...BOTH_SCHEMES, TRUST_PROXY: '1' }, [
  row('from the proxy itself', scrape(), METRICS),
  row('a stranger', scrape({ 'x-forwarded-for': '203.0.113.7' }), NOT_ALLOWED),
  row('one of whom the proxy says nothing', scrape({ 'x-forwarded-for': 'unknown' }), NOT_ALLOWED),
  row('one who came to the proxy by a socket', scrape({ 'x-forwarded-for': '203.0.113.7, unix:' }), NOT_ALLOWED),
  row('one who claims to be this machine', scrape({ 'x-forwarded-for': '127.0.0.1, 203.0.113.7' }), NOT_ALLOWED),
  row('IPv6', scrape({ 'x-forwarded-for': '2001:db8::1' }), NOT_ALLOWED),
]);

runTable('metrics for another network', { ...BOTH_SCHEMES, METRICS_ALLOW: '10.0.0.0/8' }, [
  row('from this machine', scrape(), NOT_ALLOWED, ({ answer }) => expect(answer.text).not.toContain('instantly_')),
]);

test('deliveries of a handler that is gone are told by /readyz and /metrics, as orphaned alone', async () => {
  const running = await startReceiver();
  try {
    const { store } = running.receiver;
    await store.registerHandlers([{ handler: 'here', events: ['*'], ordered: true }]);
    const routes = ['gone', 'here'].map((handler) => ({ handler, ordered: true }));
    await store.commit(makeBatch({ accepts: [makeAccept({ routes })] }));
    const ready = await ask(running, { method: 'get', path: '/readyz' });
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([200, { status: 'ok', orphaned: 1 }]);
    const { text } = await ask(running, { method: 'get', path: '/metrics' });
    expect(text).toContain('instantly_deliveries{state="orphaned"} 1\n');
    expect(text).toContain('instantly_deliveries{state="pending"} 1\n');
  } finally {
    await running.stop();
  }
});

describe('while the store is away', () => {
  let running: RunningReceiver;
  beforeAll(async () => {
    running = await startReceiver();
    await running.receiver.store.close();
  });
  afterAll(() => running.stop());

  test('/healthz is 200', async () => {
    const { status, text } = await ask(running, { method: 'get', path: '/healthz' });
    expect([status, JSON.parse(text)]).toEqual([200, { status: 'ok' }]);
  });

  test('/readyz is 503 and says what is wrong', async () => {
    const { status, headers, text } = await ask(running, { method: 'get', path: '/readyz' });
    expect([status, JSON.parse(text)]).toMatchObject([503, { code: 'not-ready', faults: ['the store cannot commit'] }]);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  });

  test('/metrics still tells what it knows', async () => {
    const answer = await ask(running, { method: 'get', path: '/metrics' });
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/^instantly_commit_failures_total [1-9]/m);
  });
});

describe('while another connection holds the database', () => {
  let running: RunningReceiver;
  let other: DatabaseSync;
  beforeEach(async () => {
    running = await startReceiver();
    other = new DatabaseSync(storeFile(running.settings));
    other.exec('BEGIN EXCLUSIVE');
  });
  afterEach(async () => {
    if (other.isOpen) other.close();
    await running.stop();
  });

  const release = (): void => {
    other.exec('ROLLBACK');
    other.close();
  };
  const ready = (): Promise<RawAnswer> => ask(running, { method: 'get', path: '/readyz' });

  test('/healthz is 200, /readyz is 503 and 200 again afterwards', async () => {
    const [health, before] = await Promise.all([ask(running, { method: 'get', path: '/healthz' }), ready()]);
    expect([health.status, before.status]).toEqual([200, 503]);
    release();
    let after = await ready();
    // One look serves all probes of a second.
    while (after.status === 503) after = await ready();
    expect([after.status, JSON.parse(after.text)]).toEqual([200, { status: 'ok' }]);
  });

  const refusedThenAccepted = async (meanwhile: () => Promise<unknown>): Promise<readonly AuditEntry[]> => {
    const { receiver, log } = running;
    const body = freshBody();
    const refused = await post(running, body, withToken);
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([503, { code: 'store-unavailable' }]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await meanwhile();
    release();
    const { status, text } = await post(running, body, withToken);
    expect([status, JSON.parse(text)]).toMatchObject([200, { status: 'accepted' }]);
    await log.waitForRequests(2);
    await receiver.commits.settle();
    expect(await receiver.store.listEvents({ limit: 10 })).toHaveLength(1);
    return (await receiver.store.tailAudit(100)).entries;
  };

  test('an event is refused with 503 and Retry-After, and accepted on its retry; nothing is lost', async () => {
    const entries = await refusedThenAccepted(() => Promise.resolve());
    const received = entries.filter(({ action }) => action === 'webhook.receive');
    expect(received.map(({ userId, metadata }) => [userId, metadata['status'], metadata['reason']]).toSorted()).toEqual(
      [
        ['instantly:token:1', 200, 'accepted'],
        ['instantly:token:1', 503, 'store-unavailable'],
      ],
    );
  });

  test('what could not be audited meanwhile is counted in one entry', async () => {
    const { commitFailures } = running.receiver.metrics.events;
    const failures = async (): Promise<number> => (await commitFailures.get()).values[0]?.value ?? 0;
    const entries = await refusedThenAccepted(() =>
      until(async () => (await failures()) >= 2, 'the commit of the entry has failed as well'),
    );
    const gap = entries.find(({ action }) => action === 'audit.gap');
    expect(gap?.metadata['counts']).toEqual([
      { action: 'webhook.receive', status: 503, reason: 'store-unavailable', count: 1 },
    ]);
  });
});

describe('connections', () => {
  test('beyond MAX_CONNECTIONS an idle one makes room for the newcomer, and is counted', async () => {
    const running = await startReceiver({ ...BOTH_SCHEMES, MAX_CONNECTIONS: '1' });
    try {
      await checkDrop(running);
    } finally {
      await running.stop();
    }
  });

  async function checkDrop(running: RunningReceiver): Promise<void> {
    const { RawClient } = await import('../support/raw-client.ts');
    const first = await RawClient.connect(running.port);
    expect((await first.send(head('GET /healthz HTTP/1.1', 'Host: a')).answer('GET'))?.status).toBe(200);
    const second = await RawClient.connect(running.port);
    await first.closed;
    expect((await second.send(head('GET /healthz HTTP/1.1', 'Host: a')).answer('GET'))?.status).toBe(200);
    second.destroy();
    const send: Sender = (target) => ask(target, { method: 'get', path: '/healthz' });
    await checkCase(running, send, { outcome: 'ok', action: 'health.check', method: 'GET' });
    const dropped = await running.receiver.metrics.requests.droppedConnections.get();
    expect(dropped.values[0]?.value).toBe(1);
  }
});
