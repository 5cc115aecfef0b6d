import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { answersUntilClosed, converse, until } from '../support/converse.ts';
import { withToken } from '../support/credentials.ts';
import { observe, requestsAudited } from '../support/observe.ts';
import { freshBody } from '../support/payloads.ts';
import { post, WEBHOOK_PATH } from '../support/post.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

const SINGLE = 40;

let running: RunningReceiver;
beforeEach(async () => {
  running = await startReceiver({
    ...BOTH_SCHEMES,
    AUDIT_ANONYMOUS_PER_MINUTE: String(SINGLE),
    FAILED_AUTH_PER_MINUTE: '50',
    BODY_LIMIT: '1kb',
  });
});
afterEach(() => running.stop());

/** Sends the bytes, closes its side, and gives the statuses that come back. */
function ask(bytes: Uint8Array): Promise<number[]> {
  return converse(running, async (client) => {
    client.send(bytes).socket.end();
    const answers = await answersUntilClosed(client);
    expect(client.received.byteLength).toBe(0);
    return answers.map(({ status }) => status).filter((status) => status !== 100);
  });
}

/** Whatever strangers send: no answer of success, no fault of ours, and an entry for each answer. */
async function holds(requests: fc.Arbitrary<Uint8Array>): Promise<void> {
  const settle = await observe(running);
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(requests, async (bytes) => {
      const statuses = await ask(bytes);
      answered += statuses.length;
      for (const status of statuses) {
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
      }
    }),
    { numRuns: 300 },
  );
  // The last answer may be here before its entry is.
  await until(async () => Number(Object.values((await settle(SINGLE)).audited)[0]) >= answered, 'all have an entry');
  running.receiver.trail.drain();
  const traces = await settle(SINGLE);
  expect(answered).toBeGreaterThan(200);
  // A request that broke off has no answer, and yet it is in the log and has its entry.
  const sums = traces.log.filter(({ msg }) => msg === 'requests');
  const logged = sums.reduce((sum, { count }) => sum + Number(count), traces.lines.length);
  expect(logged).toBeGreaterThanOrEqual(answered);
  expect(requestsAudited(traces.entries)).toBe(logged);
  expect(traces.entries.filter(({ metadata }) => metadata['aggregated'] !== true)).toHaveLength(SINGLE);
  expect(Object.values(traces.audited)).toEqual([logged]);
  expect([traces.events, traces.quarantined, traces.bufferedBytes]).toEqual([[], 0, 0]);
  expect(traces.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  expect((await post(running, freshBody(), withToken)).status).toBe(200);
}

const bytes = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array).toString('latin1'));
const word = fc.constantFrom(
  'POST',
  'GET',
  'CONNECT',
  WEBHOOK_PATH,
  'http://a',
  '*',
  '?',
  '#',
  'HTTP/1.1',
  'HTTP/1.0',
  'Host: a',
  'Content-Length: 5',
  'Content-Length: 5000',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'Connection: upgrade',
  'Upgrade: h2c',
  'x-webhook-secret:',
  'x-instantly-signature: sha256=',
  `x-instantly-signature: ${'0'.repeat(64)}`,
  '5\r\n',
  '0\r\n\r\n',
  '{}',
  ' ',
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\0',
  ':',
);

const headerName = fc.constantFrom(
  'x-webhook-secret',
  'x-instantly-signature',
  'content-type',
  'expect',
  'x-request-id',
  'x-a',
);
const headerValue = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: 60, maxLength: 68 }),
  bytes(80),
);
const method = fc.oneof(
  { weight: 9, arbitrary: fc.constant('POST') },
  { weight: 1, arbitrary: fc.constantFrom('PUT', 'CONNECT') },
);

/** A request to the webhook that is nearly in order, with any credentials and any body. */
const nearlyRight = fc
  .record({
    method,
    fields: fc.array(fc.tuple(headerName, headerValue), { maxLength: 6 }),
    body: bytes(1_200),
    short: fc.boolean(),
  })
  .map((made) => {
    const fields = made.fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const length = made.body.length + (made.short ? 1 : 0);
    const start = `${made.method} ${WEBHOOK_PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n`;
    return Buffer.from(`${start}${fields}\r\n${made.body}`, 'latin1');
  });

describe('whatever strangers send', () => {
  test('any bytes', () => holds(fc.uint8Array({ minLength: 1, maxLength: 2_000 })));

  test('words of HTTP in any order', () =>
    holds(
      fc
        .array(fc.oneof({ weight: 4, arbitrary: word }, { weight: 1, arbitrary: bytes(12) }), {
          minLength: 1,
          maxLength: 30,
        })
        .map((words) => Buffer.from(words.join(''), 'latin1')),
    ));

  test('requests that are nearly right', () => holds(nearlyRight));
});
