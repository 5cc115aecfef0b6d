import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { LARGE_BODY_BYTES, MAX_VALUES } from '../../src/events/interpret-body.ts';
import { checkCase } from '../support/check-case.ts';
import { withToken } from '../support/credentials.ts';
import { observe } from '../support/observe.ts';
import { freshPayload, LEAD } from '../support/payloads.ts';
import { post, wholePost } from '../support/post.ts';
import { RawClient } from '../support/raw-client.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

const USER = { userId: 'instantly:token:1' } as const;

let running: RunningReceiver;
/** Lengths of the texts that the thread which answers has parsed. */
let parsed: () => number[];

beforeEach(async () => {
  running = await startReceiver(BOTH_SCHEMES);
  const parse = jest.spyOn(JSON, 'parse');
  parsed = () => parse.mock.calls.map(([text]) => text.length);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await running.stop();
});

const send = (body: string | Uint8Array, more = {}) => post(running, body, { ...withToken, ...more });

/** Members in one order or the other. */
function texts(): [string, string] {
  const members = Object.entries(freshPayload({ reply_html: 'x'.repeat(LARGE_BODY_BYTES) }));
  return [JSON.stringify(Object.fromEntries(members)), JSON.stringify(Object.fromEntries(members.reverse()), null, 2)];
}

const manyValues = (): string => JSON.stringify(freshPayload({ values: Array.from({ length: MAX_VALUES }, () => 0) }));

describe('a large body', () => {
  test('is not parsed by the thread that answers, and is the same event in another form', async () => {
    const [one, other] = texts();
    const { answer } = await checkCase(running, () => send(one), { outcome: 'accepted', ...USER });
    const { id } = JSON.parse(answer.text) as { id: string };
    await checkCase(running, () => send(other), { outcome: 'duplicate', ...USER, metadata: { eventId: id } });
    expect(Math.max(...parsed())).toBeLessThan(LARGE_BODY_BYTES);
  });

  test('with more values than are read has its facts, and is known again by its bytes', async () => {
    const text = manyValues();
    const expected = { ...USER, metadata: { eventType: 'reply_received', bytes: text.length } };
    const { answer } = await checkCase(running, () => send(text), { outcome: 'accepted', ...expected });
    const { id } = JSON.parse(answer.text) as { id: string };
    await checkCase(running, () => send(text), { outcome: 'duplicate', ...USER });
    const event = await running.receiver.store.findEvent(id);
    expect(event).toMatchObject({ type: 'reply_received', lead: LEAD, timestamp: expect.any(Number) });
    expect(Buffer.from(event?.body ?? []).toString()).toBe(text);
    expect(Math.max(...parsed())).toBeLessThan(LARGE_BODY_BYTES);
  });

  test.each([
    ['that is cut off', 'not-json', () => texts()[0].slice(0, -1)],
    ['with more values that is cut off', 'not-json', () => manyValues().slice(0, -1)],
    ['that is a list', 'not-an-object', () => `[${texts()[0]}]`],
  ])('%s is refused and kept', async (_case, reason, make) => {
    const text = make();
    await checkCase(running, () => send(text), { outcome: 'unreadable-body', reason, ...USER });
    const [held] = await running.receiver.store.listQuarantine({ limit: 1 });
    expect(held).toMatchObject({ reason, bytes: text.length });
    expect(Math.max(...parsed())).toBeLessThan(LARGE_BODY_BYTES);
  });

  test('is read packed, and plain where it only says that it is packed', async () => {
    const [one] = texts();
    const packed = { 'content-encoding': 'gzip' };
    await checkCase(running, () => send(gzipSync(one), packed), { outcome: 'accepted', ...USER });
    await checkCase(running, () => send(one, packed), { outcome: 'duplicate', ...USER });
    expect(Math.max(...parsed())).toBeLessThan(LARGE_BODY_BYTES);
  });

  test('is accepted with one entry where its sender goes away while it is read', async () => {
    const settle = await observe(running);
    const client = await RawClient.connect(running.port);
    const { bodies, server } = running.receiver;
    const gone = new Promise<void>((resolve) => {
      server.once('request', (_request, response: ServerResponse) => response.once('close', resolve));
    });
    const interpret = bodies.interpret.bind(bodies);
    jest.spyOn(bodies, 'interpret').mockImplementation(async (bytes, charset) => {
      client.socket.resetAndDestroy();
      await gone;
      return interpret(bytes, charset);
    });
    client.send(wholePost(texts()[0], withToken));
    const traces = await settle(1);
    expect(traces.entries.map(({ metadata }) => [metadata['status'], metadata['reason']])).toEqual([[200, 'accepted']]);
    expect(traces.outcomes).toEqual({ accepted: 1 });
  });
});
