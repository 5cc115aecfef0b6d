import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checkCase } from '../support/check-case.ts';
import { answersUntilClosed, converse, until } from '../support/converse.ts';
import { signed, withToken } from '../support/credentials.ts';
import { bufferedBytes, observe, requestsAudited } from '../support/observe.ts';
import type { RawAnswer } from '../support/parse-answer.ts';
import { freshBody } from '../support/payloads.ts';
import { post, wholePost } from '../support/post.ts';
import { RawClient } from '../support/raw-client.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';
import { storeFile } from '../support/store-file.ts';

const KB = 1024;
const filled = (bytes: number): string => freshBody({ filler: 'x'.repeat(bytes) });

let running: RunningReceiver;
afterEach(() => running.stop());

describe('memory for bodies', () => {
  beforeEach(async () => {
    running = await startReceiver({ ...BOTH_SCHEMES, BODY_LIMIT: '40kb', MAX_BUFFERED: '64kb' });
  });

  const holds = (body: string): Promise<void> =>
    until(async () => (await bufferedBytes(running)) === Buffer.byteLength(body) - 1, 'the body is held');

  test('full of what is proven, it refuses, and is free again afterwards', async () => {
    const held = filled(36 * KB);
    const settle = await observe(running);
    await converse(running, async (client) => {
      const request = wholePost(held, withToken);
      client.send(request.subarray(0, -1));
      await holds(held);

      // 36 KB and 20 KB are more than the 48 KB for everybody, and less than the 64 KB in all.
      const strangers = filled(20 * KB);
      const refused = await post(running, strangers, signed(strangers));
      expect([refused.status, JSON.parse(refused.text)]).toMatchObject([503, { code: 'overloaded' }]);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect((await post(running, filled(20 * KB), withToken)).status).toBe(200);
      const proven = await post(running, filled(35 * KB), withToken);
      expect([proven.status, JSON.parse(proven.text)]).toMatchObject([503, { code: 'overloaded' }]);
      expect(await bufferedBytes(running)).toBe(Buffer.byteLength(held) - 1);

      expect((await client.send(request.subarray(-1)).answer())?.status).toBe(200);
    });
    const traces = await settle(4);
    expect(traces.bufferedBytes).toBe(0);
    expect(traces.outcomes).toEqual({ accepted: 2, overloaded: 2 });
    expect(traces.entries.map(({ userId, metadata }) => [userId, metadata['reason']]).toSorted()).toEqual([
      ['anonymous', 'body-memory-full'],
      ['anonymous', 'body-memory-full'],
      ['instantly:token:1', 'accepted'],
      ['instantly:token:1', 'accepted'],
    ]);
    const body = filled(35 * KB);
    await checkCase(running, () => post(running, body, signed(body)), {
      outcome: 'accepted',
      userId: 'instantly:hmac:1',
    });
  });

  test.each([
    ['a proven one', () => withToken],
    ['one that is unproven as well', signed],
  ])('full of an unproven body, it gives that up for %s', async (_, credentials) => {
    const held = filled(36 * KB);
    const settle = await observe(running);
    await converse(running, async (client) => {
      client.send(wholePost(held, signed(held)).subarray(0, -1));
      await holds(held);
      const body = filled(30 * KB);
      expect((await post(running, body, credentials(body))).status).toBe(200);
      const [answer] = await answersUntilClosed(client);
      expect([answer?.status, answer?.headers['content-type'], JSON.parse(answer?.text ?? '')]).toMatchObject([
        408,
        'application/problem+json; charset=utf-8',
        { code: 'request-given-up' },
      ]);
    });
    const traces = await settle(2);
    expect(traces.bufferedBytes).toBe(0);
    expect(traces.outcomes).toEqual({ accepted: 1, 'request-given-up': 1 });
    expect(traces.entries.map(({ metadata }) => metadata['reason']).toSorted()).toEqual([
      'accepted',
      'body-memory-full',
    ]);
  });

  test('bytes of a body that is given up are given back', async () => {
    await converse(running, async (client) => {
      const body = filled(36 * KB);
      client.send(wholePost(body, signed(body)).subarray(0, -1));
      await holds(body);
    });
    await running.log.waitForRequests(1);
    expect(await bufferedBytes(running)).toBe(0);
  });
});

describe('a body that was to prove its sender and never became whole', () => {
  beforeEach(async () => {
    running = await startReceiver({
      ...BOTH_SCHEMES,
      FAILED_AUTH_PER_MINUTE: '2',
      REQUEST_TIMEOUT_SECONDS: '1',
      HEADERS_TIMEOUT_SECONDS: '1',
    });
  });

  test('counts as a failed authentication of its address, and what is proven gets in all the same', async () => {
    const body = freshBody();
    const begun = wholePost(body, signed(body)).subarray(0, -1);
    await converse(running, async (client) => {
      const [late] = await answersUntilClosed(client.send(begun));
      expect(late?.status).toBe(408);
    });
    await converse(running, async (client) => {
      client.send(begun);
      await holdsAny();
    });
    await running.log.waitForRequests(2);
    const wrong = { 'x-instantly-signature': 'a'.repeat(64) };
    expect((await post(running, body, wrong)).status).toBe(429);
    expect((await post(running, body, signed(body))).status).toBe(200);
    // The token proves its sender whatever the body is.
    const started = wholePost(freshBody(), withToken).subarray(0, -1);
    await converse(running, async (client) => {
      client.send(started);
      await holdsAny();
    });
    expect((await post(running, freshBody(), withToken)).status).toBe(200);
  });

  const holdsAny = (): Promise<void> => until(async () => (await bufferedBytes(running)) > 0, 'a body is held');
});

test('a signed body of any size up to BODY_LIMIT gets in, although a part of the memory is kept for tokens', async () => {
  running = await startReceiver({ ...BOTH_SCHEMES, BODY_LIMIT: '64kb', MAX_BUFFERED: '64kb' });
  const body = filled(63 * KB);
  expect((await post(running, body, signed(body))).status).toBe(200);
});

describe('the commit queue', () => {
  test('full, it refuses at once; every 200 is in the store, and nothing else', async () => {
    running = await startReceiver({ ...BOTH_SCHEMES, MAX_UNPROVEN_PER_ADDRESS: '1000' });
    const settle = await observe(running);
    const other = new DatabaseSync(storeFile(running.settings));
    other.exec('BEGIN EXCLUSIVE');
    let arrived = 0;
    running.receiver.server.on('request', () => {
      arrived += 1;
    });
    const clients = await Promise.all(Array.from({ length: 375 }, () => RawClient.connect(running.port)));
    // As many as one connection may have waiting.
    const each = 16;
    for (const client of clients) {
      client.send(Buffer.concat(Array.from({ length: each }, () => wholePost(freshBody(), withToken))));
    }
    await until(() => arrived === clients.length * each, 'all requests have come');
    other.exec('ROLLBACK');
    other.close();
    const answers = await Promise.all(clients.map((client) => take(client, each)));
    for (const client of clients) client.destroy();

    const total = clients.length * each;
    const traces = await settle(total);
    const accepted = answers.flat().filter(({ status }) => status === 200);
    const refused = answers.flat().filter(({ status }) => status === 503);
    expect(accepted.length + refused.length).toBe(total);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers, text } of refused) {
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
      expect(['overloaded', 'store-unavailable']).toContain(JSON.parse(text).code);
    }
    const ids = accepted.map(({ text }) => String(JSON.parse(text).id));
    expect(traces.events.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(requestsAudited(traces.entries)).toBe(total);
    expect(traces.bufferedBytes).toBe(0);
  });

  async function take(client: RawClient, count: number): Promise<RawAnswer[]> {
    const answers: RawAnswer[] = [];
    while (answers.length < count) {
      const answer = await client.answer();
      if (answer === undefined) break;
      answers.push(answer);
    }
    return answers;
  }
});
