import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { Secret } from '../../src/config/secret.ts';
import { interpretBody } from '../../src/events/interpret-body.ts';
import { BodyInterpreter, PageNotRead } from '../../src/inbox/body-interpreter.ts';
import { InstantlyApiError } from '../../src/instantly/api-error.ts';
import { readLogged } from '../../src/instantly/logged-attempt.ts';
import { OPERATIONS, type OperationName } from '../../src/instantly/operations.ts';
import { Pacer } from '../../src/instantly/pacer.ts';
import { InstantlyReader } from '../../src/instantly/reader.ts';
import { createSend } from '../../src/instantly/send-request.ts';
import { type AccountOptions, type ApiCall, ServiceAccount } from '../../src/instantly/service-account.ts';
import { startTarget, type Target } from '../support/call-fake.ts';

const KEY = 'key-for-writing-of-this-test';
const ATTEMPTS = 5;
const NEVER = new AbortController().signal;
/** More than is read of an answer, in a few kilobytes. */
const BOMB = gzipSync(Buffer.alloc(65 * 1024 * 1024, 32), { level: 1 });

let api: Target;
let calls: ApiCall[];
let pauses: number[];

beforeEach(async () => {
  api = await startTarget();
  calls = [];
  pauses = [];
});
afterEach(() => api.stop());

function account(more: Partial<AccountOptions> = {}): ServiceAccount {
  return new ServiceAccount({
    apiUrl: api.url,
    send: createSend(undefined),
    key: { setting: 'INSTANTLY_WRITE_KEY', secret: new Secret(KEY) },
    pacer: new Pacer(10_000),
    onCall: (call) => void calls.push(call),
    pause: async (milliseconds) => void pauses.push(milliseconds),
    timeoutMs: 10_000,
    ...more,
  });
}

const call = (operation: OperationName, more: Partial<AccountOptions> = {}, signal = NEVER): Promise<unknown> =>
  account(more).call({ operation, id: 'one', body: undefined }, z.unknown(), signal);

/** Answers one after another; the last one from then on. */
function answerInTurn(...answers: ((response: ServerResponse) => void)[]): void {
  let next = 0;
  api.answer = (response) => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    answer?.(response);
  };
}

const status =
  (code: number, body: unknown = { message: 'because' }) =>
  (response: ServerResponse): void =>
    void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const drop = (response: ServerResponse): void => void response.destroy();

const WORDS = Object.keys(OPERATIONS) as OperationName[];

describe('what is tried again', () => {
  test('is every operation but making a webhook, which could make two', () => {
    expect(WORDS.filter((name) => !OPERATIONS[name].repeatable)).toEqual(['webhooks.create']);
  });

  test.each(WORDS)('%s, where the answer tells that it may pass', async (operation) => {
    for (const [answer, attempts] of [
      [status(429), ATTEMPTS],
      [status(500), OPERATIONS[operation].repeatable ? ATTEMPTS : 1],
      [status(503), OPERATIONS[operation].repeatable ? ATTEMPTS : 1],
      [drop, OPERATIONS[operation].repeatable ? ATTEMPTS : 1],
      [status(400), 1],
      [status(401), 1],
      [status(404), 1],
    ] as const) {
      api.received.length = 0;
      api.answer = answer;
      await expect(call(operation)).rejects.toBeInstanceOf(InstantlyApiError);
      expect(api.received).toHaveLength(attempts);
    }
  });

  test('until it succeeds, after pauses that grow', async () => {
    answerInTurn(status(429), status(500), drop, status(503), status(200, { ok: true }));
    expect(await call('webhooks.list', { random: () => 0.999_999 })).toEqual({ ok: true });
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000]);
    expect(calls.map(({ attempt, reason, status: code }) => [attempt, reason, code])).toEqual([
      [1, 'rate-limited', 429],
      [2, 'server', 500],
      [3, 'unreachable', null],
      [4, 'server', 503],
      [5, 'ok', 200],
    ]);
  });

  test('no pause is none at all', async () => {
    answerInTurn(status(500), status(200));
    await call('webhooks.list', { random: () => 0 });
    expect(pauses).toEqual([1]);
  });

  test('a webhook that is being made after 429, but not after a time-out', async () => {
    answerInTurn(status(429), status(200, { id: 'made' }));
    expect(await call('webhooks.create')).toEqual({ id: 'made' });
    api.received.length = 0;
    answerInTurn(() => undefined);
    await expect(call('webhooks.create', { timeoutMs: 50 })).rejects.toMatchObject({ failure: 'timeout' });
    expect(api.received).toHaveLength(1);
  });

  test('nothing whose call cannot be audited, and its answer is not used', async () => {
    answerInTurn(status(200, { id: 'secretly' }));
    const onCall = async (): Promise<never> => {
      throw new Error('the store is away');
    };
    await expect(call('webhooks.list', { onCall })).rejects.toThrow('the store is away');
    expect(api.received).toHaveLength(1);
  });
});

describe('an answer', () => {
  test('that leads elsewhere is not followed, so that the key does not travel on', async () => {
    const elsewhere = await startTarget();
    for (const code of [301, 302, 303, 307, 308]) {
      answerInTurn((response) => void response.writeHead(code, { location: `${elsewhere.url}/api/v2/webhooks` }).end());
      await expect(call('webhooks.list')).rejects.toThrow(
        `the answer (status ${code}) is not what Instantly has published: it leads elsewhere`,
      );
    }
    expect(elsewhere.received).toEqual([]);
    await elsewhere.stop();
  });

  test('that is too large is given up, compressed or not', async () => {
    answerInTurn((response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(BOMB));
    await expect(call('webhooks.list')).rejects.toMatchObject({ failure: 'too-large' });
    let written = 0;
    answerInTurn((response) => {
      const chunk = Buffer.alloc(1024 * 1024, 32);
      const write = (): void => {
        while (written < 1_000 && !response.destroyed) {
          written += 1;
          if (!response.write(chunk)) {
            response.once('drain', write);
            return;
          }
        }
      };
      write();
    });
    await expect(call('webhooks.list')).rejects.toMatchObject({ failure: 'too-large' });
    expect(written).toBeLessThan(200);
  });

  describe('with large payloads', () => {
    const RANGE = { from: '2026-11-01', to: '2026-11-02' };
    const payload = { event_type: 'email_sent', values: Array.from({ length: 300_000 }, () => 0) };
    const items = [{ id: '1', payload, success: false }, { id: '2', payload: { a: 1 } }, { id: '3' }];

    test('is not parsed by the thread that asks, and each payload is what was delivered', async () => {
      api.answer = status(200, { items, next_starting_after: 'x' });
      const bodies = new BodyInterpreter({ bodyLimitBytes: 10_000_000, onSalvaged: () => undefined });
      const parse = jest.spyOn(JSON, 'parse');
      const page = await new InstantlyReader(account({ splitPage: (bytes) => bodies.splitPage(bytes) })).webhookEvents(
        RANGE,
        NEVER,
      );
      expect(Math.max(...parse.mock.calls.map(([text]) => text.length))).toBeLessThan(1_000);
      parse.mockRestore();
      expect(page).toMatchObject({ items: [{ id: '1', success: false }, { id: '2' }, { id: '3' }], next: 'x' });
      const url = 'https://receiver.example/webhooks/instantly';
      const read = await readLogged({ ...page.items[0], id: '1', webhook_url: url }, url, { interpret: interpretBody });
      const delivered = interpretBody(Buffer.from(JSON.stringify(payload)), null);
      expect(read?.event).toEqual(delivered);
      expect(page.items[2]?.payload).toBeUndefined();
      await bodies.close();
    });

    test('is asked for in smaller pages where its thread cannot read it', async () => {
      api.answer = status(200, { items });
      const splitPage = () => Promise.reject(new PageNotRead('its thread ended'));
      await expect(new InstantlyReader(account({ splitPage })).webhookEvents(RANGE, NEVER)).rejects.toMatchObject({
        failure: 'too-large',
      });
      const limits = api.received.map(({ path }) => new URL(path, api.url).searchParams.get('limit'));
      expect(limits).toEqual(['25', '5', '1']);
    });
  });

  test('of large payloads is asked for in smaller pages', async () => {
    api.answer = (response) => {
      const limit = new URL(response.req.url ?? '', api.url).searchParams.get('limit');
      if (limit === '1') status(200, { items: [] })(response);
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(BOMB);
    };
    const page = await new InstantlyReader(account()).webhookEvents({ from: '2026-11-01', to: '2026-11-02' }, NEVER);
    expect(page).toEqual({ items: [], odd: [], next: undefined });
    expect(api.received.map(({ path }) => new URL(path, api.url).searchParams.get('limit'))).toEqual(['25', '5', '1']);
  });

  test('with an odd item holds all others, and is none where all of it is odd', async () => {
    const odd = [
      { id: 'a' },
      { target_hook_url: 'https://x' },
      { id: 'b', target_hook_url: 7 },
      null,
      'text',
      { id: '' },
    ];
    const good = [
      { id: 'c', target_hook_url: null, name: 5, headers: [], status: '1', timestamp_error: 1_700_000_000 },
      { id: 7, target_hook_url: 'https://x' },
    ];
    answerInTurn(status(200, { items: [...odd, ...good] }));
    const found = await new InstantlyReader(account()).webhooks(NEVER);
    expect(found).toEqual([
      { id: 'c', target_hook_url: '', name: null, headers: null, status: null, timestamp_error: '1700000000' },
      { id: '7', target_hook_url: 'https://x' },
    ]);
    answerInTurn(status(200, { items: odd }));
    await expect(new InstantlyReader(account()).webhooks(NEVER)).rejects.toMatchObject({
      failure: 'unreadable',
      message: expect.stringContaining('items.0.target_hook_url'),
    });
  });

  test('of the delivery log tells what is odd on it', async () => {
    answerInTurn(
      status(200, { items: [{}, { id: 'a', success: 'false', timestamp_created: 5 }], next_starting_after: 'a' }),
    );
    const page = await new InstantlyReader(account()).webhookEvents({ from: '2026-11-01', to: '2026-11-02' }, NEVER);
    expect(page).toEqual({
      items: [{ id: 'a', success: null, timestamp_created: '5' }],
      odd: ['items.0.id'],
      next: 'a',
    });
  });

  test('that trickles ends with the time for it', async () => {
    answerInTurn((response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    const started = performance.now();
    await expect(call('webhooks.create', { timeoutMs: 200 })).rejects.toMatchObject({ failure: 'timeout' });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(calls).toMatchObject([{ reason: 'timeout', status: null }]);
  });

  test('that breaks off is as good as none', async () => {
    answerInTurn((response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"items":');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(call('webhooks.create')).rejects.toMatchObject({ failure: 'unreachable', isOutcomeUnknown: true });
  });

  test.each([
    [200, 'not json', 'unreadable'],
    [200, '', undefined],
    [204, '', undefined],
    [403, '{"statusCode":403,"message":"scope"}', 'scope'],
    [403, '{"error":"no"}', 'blocked'],
    [403, '{"message":"Forbidden"}', 'blocked'],
    [403, '', 'blocked'],
    [403, '<html>', 'blocked'],
    [418, '{}', 'server'],
    [502, '<html>', 'server'],
    [422, '{"message":"no"}', 'refused'],
  ])('%s with %p: %s', async (code, body, failure) => {
    answerInTurn((response) => void response.writeHead(code).end(body));
    const asked = call('webhooks.create');
    if (failure === undefined) expect(await asked).toBeNull();
    else await expect(asked).rejects.toMatchObject({ failure, status: code });
  });

  test('tells how their clock differs from ours, where it tells the time', async () => {
    const theirs = new Date(Date.now() + 3_600_000).toUTCString();
    const one = account();
    answerInTurn((response) => void response.writeHead(200, { date: theirs }).end('{}'));
    expect(one.clockSkewMs).toBeUndefined();
    await one.call({ operation: 'webhooks.list' }, z.unknown(), NEVER);
    expect(Math.abs((one.clockSkewMs ?? 0) - 3_600_000)).toBeLessThan(5_000);
    answerInTurn((response) => {
      response.sendDate = false;
      response.writeHead(200).end('{}');
    });
    await one.call({ operation: 'webhooks.list' }, z.unknown(), NEVER);
    expect(Math.abs((one.clockSkewMs ?? 0) - 3_600_000)).toBeLessThan(5_000);
  });
});

describe('a call', () => {
  test('names the product, and the workspace that an agency acts on', async () => {
    api.answer = status(200);
    await call('webhooks.list');
    await call('webhooks.list', { asWorkspace: 'sub-workspace' });
    const [plain, acting] = api.received.map(({ headers }) => headers);
    expect(plain?.['user-agent']).toMatch(/^instantly-webhook-receiver\/\d+\.\d+\.\d+ \(\+https:\/\/\S+\)$/);
    expect([plain?.['x-as-workspace'], acting?.['x-as-workspace']]).toEqual([undefined, 'sub-workspace']);
  });

  test.each(['edge', 'html', 'json'])('that is refused by the edge names the User-Agent first: %s', async (kind) => {
    api.answer = (response) =>
      void response.writeHead(403).end(kind === 'json' ? '{"title":"Error 1010","error_code":1010}' : '<html>');
    await expect(call('webhooks.list')).rejects.toThrow(
      /403 that is not the API's own: the edge in front of Instantly refuses the User-Agent \(instantly-webhook-receiver\//,
    );
  });

  test("shows Instantly's own words about a plan", async () => {
    answerInTurn(status(402, { message: `no active paid plan for ${KEY}` }));
    await expect(call('webhooks.list')).rejects.toThrow('(402): no active paid plan for [value]; webhooks need');
  });

  test.each([
    ['7', 7_000],
    ['0', 1],
    ['soon', 1],
  ])('waits as long as it is asked to, and no less than it would: Retry-After %s', async (text, waitMs) => {
    answerInTurn((response) => void response.writeHead(429, { 'retry-after': text }).end('{}'), status(200));
    await call('webhooks.list', { random: () => 0 });
    expect(pauses).toEqual([waitMs]);
  });

  test('waits for a date, and not for longer than a minute', async () => {
    const inThirty = new Date(Date.now() + 30_000).toUTCString();
    answerInTurn((response) => void response.writeHead(503, { 'retry-after': inThirty }).end('{}'), status(200));
    await call('webhooks.list', { random: () => 0 });
    expect(Math.abs((pauses[0] ?? 0) - 30_000)).toBeLessThan(5_000);
    answerInTurn((response) => void response.writeHead(429, { 'retry-after': '3600' }).end('{}'));
    await expect(call('webhooks.list')).rejects.toMatchObject({ failure: 'rate-limited', retryAfterMs: 3_600_000 });
    expect(api.received).toHaveLength(3);
  });

  test('goes through the proxy, save for what NO_PROXY names and for http on this machine', async () => {
    const asked: [string | undefined, string | undefined][] = [];
    const proxy = createServer().listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    proxy.on('connect', ({ url, headers }: IncomingMessage, socket: Socket) => {
      asked.push([url, headers['proxy-authorization']]);
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    });
    const { port } = proxy.address() as AddressInfo;
    const url = `http://user:p%40ss@127.0.0.1:${port}`;
    const through = (except: string | undefined): Partial<AccountOptions> => {
      const way = { url: new Secret(url), location: `http://127.0.0.1:${port}`, except };
      return { apiUrl: 'https://localhost:1', via: way.location, send: createSend(way) };
    };
    const refused: unknown = await call('webhooks.create', through(undefined)).catch((error: unknown) => error);
    expect(String(refused)).toContain(`(ERR_PROXY_TUNNEL 407): check the proxy http://127.0.0.1:${port} (HTTPS_PROXY)`);
    expect(String(refused)).not.toMatch(/user|p%40ss|p@ss/);
    expect(asked).toEqual([['localhost:1', `Basic ${Buffer.from('user:p@ss').toString('base64')}`]]);
    await expect(call('webhooks.create', through('example.com,localhost'))).rejects.toThrow('(ECONNREFUSED)');
    api.answer = status(200);
    await call('webhooks.list', { ...through(undefined), apiUrl: api.url });
    expect(asked).toHaveLength(1);
    proxy.close();
  });
});

describe('the key', () => {
  test('stands in its header and nowhere else', async () => {
    api.answer = status(200);
    await account().call({ operation: 'webhooks.update', id: 'a/b?c', body: { name: 'n' } }, z.unknown(), NEVER);
    const [{ path, headers, body } = { path: '', headers: {}, body: '' }] = api.received;
    expect(path).toBe('/api/v2/webhooks/a%2Fb%3Fc');
    expect(headers.authorization).toBe(`Bearer ${KEY}`);
    const { authorization: _, ...others } = headers;
    expect(JSON.stringify([others, path, body])).not.toContain(KEY);
  });

  test('and what was sent with it are told in no error', async () => {
    const token = 'the-token-of-this-webhook';
    const echo = `headers ${token}, Bearer ${token}, key ${KEY} \u202e\n are wrong`;
    answerInTurn(status(400, { message: echo }));
    const body = { headers: { authorization: `Bearer ${token}` } };
    const error: unknown = await account()
      .call({ operation: 'webhooks.create', body }, z.unknown(), NEVER)
      .catch((reason: unknown) => reason);
    const told = error instanceof Error ? error.message : '';
    expect(told).toContain('Instantly refused the request (400)');
    for (const secret of [token, KEY]) expect(told).not.toContain(secret);
    expect(told).not.toMatch(/[\n\u202e]/);
    expect(told.length).toBeLessThan(300);
  });
});

describe('who ends it', () => {
  const reason = new Error('ended by the operator');

  test('ends a call that is under way', async () => {
    const stop = new AbortController();
    api.answer = () => stop.abort(reason);
    await expect(call('webhooks.list', {}, stop.signal)).rejects.toBe(reason);
    expect(calls).toMatchObject([{ reason: 'aborted', status: null }]);
    expect(api.received).toHaveLength(1);
  });

  test('ends one whose answer is being read', async () => {
    const stop = new AbortController();
    api.answer = (response) => {
      response.writeHead(200).write('{');
      setTimeout(() => stop.abort(reason), 50);
    };
    await expect(call('webhooks.list', {}, stop.signal)).rejects.toBe(reason);
    expect(calls).toMatchObject([{ reason: 'aborted' }]);
  });

  test('ends the pause between two attempts', async () => {
    const stop = new AbortController();
    api.answer = status(500);
    const options: AccountOptions = {
      apiUrl: api.url,
      send: createSend(undefined),
      key: { setting: 'INSTANTLY_WRITE_KEY', secret: new Secret(KEY) },
      pacer: new Pacer(10_000),
      onCall: () => void setTimeout(() => stop.abort(reason), 20),
      random: () => 0.999,
    };
    const asked = new ServiceAccount(options).call({ operation: 'webhooks.list' }, z.unknown(), stop.signal);
    await expect(asked).rejects.toBe(reason);
    expect(api.received).toHaveLength(1);
  });

  test('before it has begun has nothing called', async () => {
    await expect(call('webhooks.list', {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(api.received).toEqual([]);
  });
});
