import { afterEach, describe, expect, test } from '@jest/globals';
import { checkCase, type Expected } from '../support/check-case.ts';
import { type Headers, METRICS_TOKEN, signed, withToken } from '../support/credentials.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { ask, post } from '../support/post.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

const LIMIT = 3;
const UNAUTHENTICATED: Expected = { outcome: 'unauthenticated', reason: 'mismatch' };
const TOO_MANY: Expected = { outcome: 'too-many-failures', reason: 'mismatch' };
const ACCEPTED: Expected = { outcome: 'accepted', userId: 'instantly:token:1' };

let running: RunningReceiver;
afterEach(() => running.stop());

async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
  running = await startReceiver({ ...BOTH_SCHEMES, FAILED_AUTH_PER_MINUTE: String(LIMIT), ...env });
}

const from = (address: string): Headers => ({ 'x-forwarded-for': address });

/** One failing request, by a signature over another body; gives its status. */
async function fails(headers: Headers = {}, expected?: Expected): Promise<number> {
  const send = (): ReturnType<typeof post> => post(running, freshBody(), { ...signed(MARK), ...headers });
  if (expected === undefined) return (await send()).status;
  return (await checkCase(running, send, expected)).answer.status;
}

async function failsTimes(times: number, headers: Headers): Promise<number[]> {
  const statuses: number[] = [];
  for (let time = 0; time < times; time += 1) statuses.push(await fails(headers));
  return statuses;
}

describe('too many failed authentications', () => {
  test('get 429 with Retry-After, while authentic requests from the same address get in', async () => {
    await start();
    for (let time = 0; time < LIMIT; time += 1) await fails({}, UNAUTHENTICATED);
    const { answer } = await checkCase(running, () => post(running, freshBody(), signed(MARK)), TOO_MANY);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(60);
    await checkCase(running, () => post(running, freshBody(), withToken), ACCEPTED);
    await checkCase(running, () => post(running, '[]', withToken), {
      outcome: 'unreadable-body',
      reason: 'not-an-object',
      userId: 'instantly:token:1',
    });
    await fails({}, TOO_MANY);
    // What fails by its headers alone counts with the rest.
    await checkCase(running, () => post(running, freshBody(), {}), { ...TOO_MANY, reason: 'missing' });
  });

  test('are counted for the webhook alone', async () => {
    await start();
    await failsTimes(LIMIT + 1, {});
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await ask(running, { method: 'get', path })).status).toBe(200);
    }
    expect((await ask(running, { path: '/nowhere' })).status).toBe(404);
  });

  test('authentic requests count for nothing', async () => {
    await start();
    for (let time = 0; time < 2 * LIMIT; time += 1)
      expect((await post(running, freshBody(), withToken)).status).toBe(200);
    expect(await fails()).toBe(401);
  });
});

test('failures at /metrics count with the rest, and the right token gets in all the same', async () => {
  await start({ METRICS_TOKEN });
  const scrape = (token: string) =>
    ask(running, { method: 'get', path: '/metrics', headers: { authorization: `Bearer ${token}` } });
  const statuses: number[] = [];
  for (let time = 0; time <= LIMIT; time += 1) statuses.push((await scrape(`wrong token ${time}`)).status);
  expect(statuses).toEqual([...Array<number>(LIMIT).fill(401), 429]);
  expect((await scrape(METRICS_TOKEN)).status).toBe(200);
});

describe('whose failures they are', () => {
  const fillFrom = (address: string): Promise<number[]> => failsTimes(LIMIT + 1, from(address));
  const FULL = [401, 401, 401, 429];

  test('X-Forwarded-For means nothing where no proxy is trusted', async () => {
    await start();
    expect(await fillFrom('192.0.2.1')).toEqual(FULL);
    await fails(from('192.0.2.2'), { ...TOO_MANY, metadata: { ip: '127.0.0.1' } });
  });

  test('behind one proxy, the address it names', async () => {
    await start({ TRUST_PROXY: '1' });
    expect(await fillFrom('192.0.2.1')).toEqual(FULL);
    await fails(from('192.0.2.2'), { ...UNAUTHENTICATED, metadata: { ip: '192.0.2.2' } });
    await fails(from('192.0.2.1'), { ...TOO_MANY, metadata: { ip: '192.0.2.1' } });
  });

  test('behind one proxy, what the client itself wrote before it means nothing', async () => {
    await start({ TRUST_PROXY: '1' });
    expect(await failsTimes(1, from('198.51.100.1, 192.0.2.1'))).toEqual([401]);
    expect(await failsTimes(LIMIT, from('198.51.100.2,192.0.2.1'))).toEqual([401, 401, 429]);
    await fails(from(`${MARK}, 192.0.2.1`), { ...TOO_MANY, metadata: { ip: '192.0.2.1' } });
  });

  test('behind two proxies, the address that the outer one names', async () => {
    await start({ TRUST_PROXY: '2' });
    await fails(from('198.51.100.1, 192.0.2.1, 203.0.113.1'), { ...UNAUTHENTICATED, metadata: { ip: '192.0.2.1' } });
  });

  test('an IPv6 customer has a /56', async () => {
    await start({ TRUST_PROXY: '1' });
    expect(await failsTimes(2, from('2001:db8:0:ab00::1'))).toEqual([401, 401]);
    expect(await failsTimes(2, from('2001:db8:0:abff:ffff:ffff:ffff:ffff'))).toEqual([401, 429]);
    expect(await failsTimes(1, from('2001:0DB8:0000:AB12::7'))).toEqual([429]);
    expect(await failsTimes(1, from('2001:db8:0:ac00::1'))).toEqual([401]);
  });

  test.each([
    '::ffff:192.0.2.1',
    '::ffff:c000:201',
    '0:0:0:0:0:ffff:192.0.2.1',
    '192.0.2.1:50123',
    '[::ffff:192.0.2.1]:443',
  ])('%s is 192.0.2.1', async (written) => {
    await start({ TRUST_PROXY: '1' });
    expect(await fillFrom('192.0.2.1')).toEqual(FULL);
    expect(await fails(from(written))).toBe(429);
    expect(await fails(from(written.replace('.1', '.2').replace('201', '202')))).toBe(401);
  });

  test.each([
    ['a word', MARK],
    ['nothing', ''],
    ['the word of a proxy that hides it', 'unknown'],
    ['10 KB', 'a'.repeat(10_000)],
    ['numbers out of range', '999.1.1.1'],
    ['a hidden name', '_hidden'],
    ['a quoted word', `"${MARK}"`],
    ['a mapped address and more', '::ffff:1.2.3.4.5'],
  ])('%s is no address: that of the connection stands', async (_name, written) => {
    await start({ TRUST_PROXY: '1' });
    await fails(from(written), { ...UNAUTHENTICATED, metadata: { ip: '127.0.0.1' } });
  });

  test('a connection to an IPv6 socket by IPv4 is told as IPv4', async () => {
    await start({ HOST: '::' });
    await fails({}, { ...UNAUTHENTICATED, metadata: { ip: '127.0.0.1' } });
  });
});
