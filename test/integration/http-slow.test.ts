import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { answersUntilClosed, converse } from '../support/converse.ts';
import { TOKEN, withToken } from '../support/credentials.ts';
import { observe, type Traces } from '../support/observe.ts';
import type { RawAnswer } from '../support/parse-answer.ts';
import { freshBody } from '../support/payloads.ts';
import { fields, head, postHead, wholePost } from '../support/post.ts';
import type { RawClient } from '../support/raw-client.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';
import { storeFile } from '../support/store-file.ts';

let running: RunningReceiver;
beforeAll(async () => {
  running = await startReceiver({
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    REQUEST_TIMEOUT_SECONDS: '2',
  });
});
afterAll(() => running.stop());

/** One byte of it a second, for as long as anybody listens. */
function drip(client: RawClient, bytes: string): void {
  let sent = 0;
  const timer = setInterval(() => {
    client.send(bytes.charAt(sent));
    sent += 1;
  }, 1_000);
  void client.closed.then(() => clearInterval(timer));
}

async function watched(
  requests: number,
  talk: (client: RawClient) => Promise<RawAnswer[]>,
): Promise<{ answers: RawAnswer[]; traces: Traces }> {
  const settle = await observe(running);
  const answers = await converse(running, talk);
  return { answers, traces: await settle(requests) };
}

const facts = ({ entries }: Traces): unknown[] =>
  entries.map(({ action, metadata }) => [action, metadata['status'], metadata['reason']]);

describe('slow clients', () => {
  test('a body of one byte a second is cut off near the time limit', async () => {
    const { answers, traces } = await watched(1, (client) => {
      client.send(postHead('Content-Length: 600', ...fields(withToken)));
      drip(client, freshBody());
      return answersUntilClosed(client);
    });
    expect(answers).toHaveLength(1);
    expect([answers[0]?.status, answers[0]?.headers['connection']]).toEqual([408, 'close']);
    expect(JSON.parse(answers[0]?.text ?? '')).toMatchObject({ code: 'request-timeout' });
    expect(facts(traces)).toEqual([['webhook.receive', 408, 'request-timeout']]);
    expect(traces.outcomes).toEqual({ 'request-timeout': 1 });
    const { durationMs } = traces.lines[0] ?? {};
    expect(Number(durationMs)).toBeGreaterThan(1_500);
    expect(Number(durationMs)).toBeLessThan(6_000);
    expect(traces.bufferedBytes).toBe(0);
  });

  test('a body that never comes is cut off as well', async () => {
    const { answers, traces } = await watched(1, (client) =>
      answersUntilClosed(client.send(postHead('Content-Length: 600', ...fields(withToken)))),
    );
    expect(answers.map(({ status }) => status)).toEqual([408]);
    expect(facts(traces)).toEqual([['webhook.receive', 408, 'request-timeout']]);
  });

  test('a body that nobody asked for is not waited for', async () => {
    const { answers, traces } = await watched(1, (client) => {
      client.send(head('GET /healthz HTTP/1.1', 'Host: a', 'Content-Length: 600'));
      drip(client, freshBody());
      return answersUntilClosed(client);
    });
    expect(answers.map(({ status }) => status)).toEqual([200]);
    expect(facts(traces)).toEqual([['health.check', 200, 'ok']]);
  });

  test('a client that stops reading its answers is cut off', async () => {
    const { server } = running.receiver;
    // Longer than any request may take to come, and any commit. Shortened, so as not to wait for it here.
    expect(server.timeout).toBe(12_000);
    server.timeout = 300;
    try {
      const ended = new Promise((resolve) => {
        server.once('connection', (socket) => socket.once('close', resolve));
      });
      await converse(running, async (client) => {
        client.socket.pause();
        client.send(head('GET /metrics HTTP/1.1', 'Host: a').repeat(300));
        await ended;
      });
    } finally {
      server.timeout = 12_000;
    }
  });
});

describe('slow header fields', () => {
  beforeAll(async () => {
    await running.stop();
    running = await startReceiver({ ...BOTH_SCHEMES, HEADERS_TIMEOUT_SECONDS: '1', REQUEST_TIMEOUT_SECONDS: '3600' });
  });

  test('header fields of one byte a second are cut off', async () => {
    const { answers, traces } = await watched(1, (client) => {
      drip(client, head('POST /webhooks/instantly HTTP/1.1', 'Host: a'));
      return answersUntilClosed(client);
    });
    expect(answers.map(({ status }) => status)).toEqual([408]);
    expect(facts(traces)).toEqual([['request.refuse', 408, 'request-timeout']]);
  });

  test('so are those of a second request on the connection', async () => {
    const { answers, traces } = await watched(2, async (client) => {
      const first = await client.send(wholePost(freshBody(), withToken)).answer();
      drip(client, postHead('x-a: b'));
      return [...(first === undefined ? [] : [first]), ...(await answersUntilClosed(client))];
    });
    expect(answers.map(({ status }) => status)).toEqual([200, 408]);
    expect(facts(traces)).toEqual([
      ['webhook.receive', 200, 'accepted'],
      ['request.refuse', 408, 'request-timeout'],
    ]);
  });
});

describe('a client that goes while its event is being committed', () => {
  async function leaves(release: (other: DatabaseSync) => Promise<void>): Promise<Traces> {
    const settle = await observe(running);
    const other = new DatabaseSync(storeFile(running.settings));
    other.exec('BEGIN EXCLUSIVE');
    try {
      await converse(running, async (client) => {
        const asked = once(running.receiver.server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
        client.send(wholePost(freshBody(), withToken));
        const [request, response] = await asked;
        if (!request.readableEnded) await once(request, 'end');
        const closed = once(response, 'close');
        client.socket.resetAndDestroy();
        await closed;
      });
      await release(other);
    } finally {
      other.close();
    }
    return settle(1);
  }

  test('has its event stored and audited as accepted', async () => {
    const traces = await leaves((other) => Promise.resolve(other.exec('ROLLBACK')));
    expect(traces.events).toHaveLength(1);
    expect(facts(traces)).toEqual([['webhook.receive', 200, 'accepted']]);
    expect(traces.lines).toHaveLength(1);
    expect(traces.lines[0]).toMatchObject({ status: 200, reason: 'accepted', eventId: traces.events[0]?.id });
    expect([traces.outcomes, traces.bufferedBytes]).toEqual([{ accepted: 1 }, 0]);
  });

  test('has its failure told where the commit failed', async () => {
    const traces = await leaves(async () => {
      await running.log.waitForRequests(running.log.requests().length + 1);
    });
    expect(traces.events).toEqual([]);
    expect(traces.lines).toHaveLength(1);
    expect(traces.lines[0]).toMatchObject({ level: 50, status: 503, reason: 'store-unavailable' });
    expect([traces.outcomes, traces.bufferedBytes]).toEqual([{ 'store-unavailable': 1 }, 0]);
  });
});
