import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../support/converse.ts';
import { KEY, signed } from '../support/credentials.ts';
import { Crowd, type Habits } from '../support/crowd.ts';
import { bufferedBytes } from '../support/observe.ts';
import { freshBody } from '../support/payloads.ts';
import { askRaw, fields, postHead, wholePost } from '../support/post.ts';
import { RawClient } from '../support/raw-client.ts';
import { type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

const KB = 1024;
const MB = KB * KB;
const SIZES = [KB, 30 * KB, 300 * KB, MB];

let running: RunningReceiver;
let crowd: Crowd | undefined;
afterEach(async () => {
  crowd?.leave();
  crowd = undefined;
  await running.stop();
});

const madeUp = { 'x-instantly-signature': 'a'.repeat(64) };
const begun = (declared: number, sent: number, ...more: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from(postHead(`Content-Length: ${declared}`, ...fields(madeUp), ...more), 'latin1'),
    Buffer.alloc(sent, 'x'),
  ]);

async function gather(habits: Omit<Habits, 'port'>): Promise<Crowd> {
  crowd = new Crowd({ port: running.port, ...habits });
  return crowd.gather();
}

function genuine(bytes: number): Buffer {
  const body = freshBody({ filler: 'x'.repeat(bytes) });
  return wholePost(body, signed(body));
}

/** Each on a connection of its own, all sizes at once, and so again. */
async function sendGenuine(rounds: number, sizes: readonly number[] = SIZES): Promise<number[]> {
  const statuses: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const answers = await Promise.all(sizes.map((size) => askRaw(running, genuine(size))));
    statuses.push(...answers.map(({ status }) => status));
  }
  return statuses;
}

const all200 = (rounds: number, sizes: readonly number[] = SIZES): number[] =>
  Array.from({ length: rounds * sizes.length }, () => 200);

describe('with a signing key alone, a genuine delivery gets in beside', () => {
  beforeEach(async () => {
    running = await startReceiver({ INSTANTLY_SECRET: KEY, LOG_LEVEL: 'fatal', MAX_BUFFERED: '30mb' });
  });

  test('2,000 strangers from 500 addresses who begin large bodies and come again', async () => {
    const strangers = await gather({
      connections: 2_000,
      addresses: 500,
      start: begun(10 * MB, 40 * KB),
      more: Buffer.alloc(100, 'x'),
      everyMs: 400,
      comesAgain: true,
    });
    expect(await sendGenuine(5)).toEqual(all200(5));
    expect(strangers.answers.get('408')).toBeGreaterThan(0);
    expect(await bufferedBytes(running)).toBeLessThanOrEqual(30 * MB);
  });

  test('three on its own address who hold all but the last byte of 10 MB, the moment they have it', async () => {
    await gather({ connections: 3, addresses: 1, start: begun(10 * MB, 10 * MB - 1) });
    await until(async () => (await bufferedBytes(running)) === 30 * MB - 3, 'the memory is full');
    expect(await sendGenuine(3)).toEqual(all200(3));
  });

  test('ten who send whole bodies of 10 MB as fast as they can', async () => {
    await gather({ connections: 10, addresses: 10, start: begun(10 * MB, 10 * MB), comesAgain: true });
    expect(await sendGenuine(3)).toEqual(all200(3));
  });

  test('a hundred on its own address who send in chunks, wait for 100-continue, or hold what they sent', async () => {
    await gather({ connections: 50, addresses: 1, start: begun(10 * MB, 600 * KB, 'Expect: 100-continue') });
    const own = crowd;
    const chunk = Buffer.concat([Buffer.from(`${(600 * KB).toString(16)}\r\n`), Buffer.alloc(600 * KB - 1, 'x')]);
    const head = Buffer.from(postHead('Transfer-Encoding: chunked', ...fields(madeUp)));
    await gather({ connections: 50, addresses: 1, start: Buffer.concat([head, chunk]) });
    const body = freshBody({ filler: 'x'.repeat(100 * KB) });
    const inChunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const answer = await askRaw(running, postHead('Transfer-Encoding: chunked', ...fields(signed(body))) + inChunks);
    expect([answer.status, ...(await sendGenuine(3))]).toEqual([200, ...all200(3)]);
    own?.leave();
  });
});

describe('of one address, connections that have sent nothing authentic', () => {
  const HALF = 'POST /webhooks/instantly HTTP/1.1\r\nHost: a\r\nx-a: ';

  test('are closed beyond MAX_UNPROVEN_PER_ADDRESS, the oldest first, and audited', async () => {
    running = await startReceiver({ INSTANTLY_SECRET: KEY, MAX_UNPROVEN_PER_ADDRESS: '5' });
    const proven = await RawClient.connect(running.port);
    expect((await proven.send(genuine(KB)).answer())?.status).toBe(200);
    const first = await Promise.all(Array.from({ length: 4 }, () => RawClient.connect(running.port)));
    for (const client of first) client.send(HALF);
    const later = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(running.port)));
    for (const client of later) client.send(HALF);
    const answers = await Promise.all(first.map((client) => client.answer()));
    expect(answers.map((answer) => [answer?.status, JSON.parse(answer?.text ?? '').code])).toEqual(
      Array.from({ length: 4 }, () => [408, 'request-given-up']),
    );
    expect(later.some(({ isClosed }) => isClosed)).toBe(false);
    const lines = await running.log.waitForRequests(5);
    expect(lines.slice(1).map(({ reason }) => reason)).toEqual(first.map(() => 'address-connections-full'));
    expect((await proven.send(genuine(KB)).answer())?.status).toBe(200);
    for (const client of [proven, ...later]) client.destroy();
  });

  test('as many as MAX_CONNECTIONS never keep a genuine one out', async () => {
    running = await startReceiver({ INSTANTLY_SECRET: KEY, LOG_LEVEL: 'fatal', MAX_CONNECTIONS: '300' });
    await gather({
      connections: 600,
      addresses: 1,
      start: Buffer.from(HALF),
      more: Buffer.from('a'),
      everyMs: 1_000,
      comesAgain: true,
    });
    expect(await sendGenuine(5)).toEqual(all200(5));
  });

  test('of a believed proxy are as many as its clients make', async () => {
    running = await startReceiver({ INSTANTLY_SECRET: KEY, TRUST_PROXY: '1', MAX_UNPROVEN_PER_ADDRESS: '1' });
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(running.port)));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const answers = await Promise.all(clients.map((client) => client.send(genuine(KB)).answer()));
    expect(answers.map((answer) => answer?.status)).toEqual(clients.map(() => 200));
    for (const client of clients) client.destroy();
  });
});
