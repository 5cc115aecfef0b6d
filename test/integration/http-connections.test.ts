import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkSilence } from '../support/check-case.ts';
import { answersUntilClosed, converse, until } from '../support/converse.ts';
import { TOKEN, withToken } from '../support/credentials.ts';
import { bufferedBytes, observe } from '../support/observe.ts';
import type { RawAnswer } from '../support/parse-answer.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { fields, head, postHead, wholePost } from '../support/post.ts';
import type { RawClient } from '../support/raw-client.ts';
import { type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

const LIMIT = 64 * 1024;
const good = (...more: readonly string[]): Buffer => wholePost(freshBody(), withToken, ...more);
const statuses = (answers: readonly RawAnswer[]): number[] => answers.map(({ status }) => status);

let running: RunningReceiver;
beforeAll(async () => {
  // The token alone, so that a request without it is refused by its headers.
  running = await startReceiver({ INSTANTLY_WEBHOOK_TOKEN: TOKEN, BODY_LIMIT: String(LIMIT) });
});
afterAll(() => running.stop());

/** Talks on one connection; the statuses answered and those audited must be these, in order. */
async function talks(
  talk: (client: RawClient) => Promise<RawAnswer[]>,
  expected: readonly number[],
  unanswered: readonly number[] = [],
): Promise<RawAnswer[]> {
  const settle = await observe(running);
  const answers = await converse(running, talk);
  const final = expected.filter((status) => status >= 200);
  const all = [...final, ...unanswered].toSorted();
  const traces = await settle(all.length);
  expect(statuses(answers)).toEqual(expected);
  if (unanswered.length === 0) expect(traces.lines.map(({ status }) => status)).toEqual(final);
  // Within one commit, entries stand by kind.
  expect(traces.entries.map(({ metadata }) => metadata['status']).toSorted()).toEqual(all);
  expect(traces.events).toHaveLength(final.filter((status) => status === 200).length);
  expect(traces.bufferedBytes).toBe(0);
  checkSilence(answers.at(-1), traces);
  return answers;
}

/** Sends each when the one before is answered. */
const inTurn =
  (...requests: readonly (string | Uint8Array)[]) =>
  async (client: RawClient): Promise<RawAnswer[]> => {
    const answers: RawAnswer[] = [];
    for (const request of requests) {
      const answer = await client.send(request).answer();
      if (answer === undefined) break;
      answers.push(answer);
    }
    return answers;
  };

/** Sends all at once. */
const atOnce =
  (...requests: readonly (string | Uint8Array)[]) =>
  async (client: RawClient): Promise<RawAnswer[]> => {
    client.send(Buffer.concat(requests.map((request) => Buffer.from(request as string, 'latin1'))));
    const answers: RawAnswer[] = [];
    while (answers.length < requests.length) {
      const answer = await client.answer();
      if (answer === undefined) break;
      answers.push(answer);
    }
    return answers;
  };

const REFUSED_SMALL = wholePost(freshBody(), {});

describe('one connection, several requests', () => {
  test('two in turn', () => talks(inTurn(good(), good()), [200, 200]));
  test('three at once are answered in order', () =>
    talks(atOnce(good(), REFUSED_SMALL, good()), [200, 401, 200]).then(() => undefined));
  test('garbage after a good one', () => talks(inTurn(good(), `${MARK}\r\n\r\n`), [200, 400]));
  test('garbage at once with a good one', () => talks(atOnce(good(), `${MARK}\r\n\r\n`), [200, 400]));
  test('too long a field after a good one', () =>
    talks(inTurn(good(), good(`x-a: ${'a'.repeat(20_000)}`)), [200, 431]));
  test('CONNECT at once with a good one', () =>
    talks(atOnce(good(), head(`CONNECT ${MARK}:443 HTTP/1.1`, 'Host: a')), [200, 405]));
  test('sixteen at once are answered, and beyond them the connection ends', () =>
    talks(
      (client) => answersUntilClosed(client.send(Buffer.concat(Array.from({ length: 500 }, () => good())))),
      Array.from({ length: 16 }, () => 200),
      [408],
    ));

  test('of thousands in one segment, no more are looked at than are answered, and one', async () => {
    let asked = 0;
    const count = (): void => {
      asked += 1;
    };
    running.receiver.server.on('request', count);
    const settle = await observe(running);
    const segment = head('GET / HTTP/1.1', 'Host: a').repeat(2_000);
    const answers = await converse(running, (client) => answersUntilClosed(client.send(segment)));
    running.receiver.server.off('request', count);
    expect([answers.length, asked]).toEqual([16, 17]);
    expect((await settle(17)).entries).toHaveLength(17);
  });

  test('each of several at once is audited where the client goes before they are answered', async () => {
    const settle = await observe(running);
    await converse(running, async (client) => {
      const asked = once(running.receiver.server, 'request');
      client.send(Buffer.concat(Array.from({ length: 5 }, () => good())));
      await asked;
      client.socket.resetAndDestroy();
    });
    const traces = await settle(5);
    expect(traces.entries).toHaveLength(5);
    expect(traces.bufferedBytes).toBe(0);
  });

  test.each([
    ['CONNECT', head(`CONNECT ${MARK}:443 HTTP/1.1`, 'Host: a')],
    ['CONNECT with a body', `${head(`CONNECT ${MARK}:443 HTTP/1.1`, 'Host: a', 'Content-Length: 9')}abc`],
    ['garbage', `${MARK}\r\n\r\n`],
  ])('each is audited with its address where %s comes after them and the client goes', async (_name, last) => {
    const settle = await observe(running);
    await converse(running, async (client) => {
      const asked = once(running.receiver.server, 'request');
      client.send(Buffer.concat([...Array.from({ length: 5 }, () => good()), Buffer.from(last)]));
      await asked;
      client.socket.resetAndDestroy();
    });
    const { entries } = await settle(6);
    expect(entries).toHaveLength(6);
    expect(entries.map(({ metadata }) => metadata['ip'])).toEqual(Array.from({ length: 6 }, () => '127.0.0.1'));
    expect(entries.filter(({ action }) => action === 'request.refuse')).toHaveLength(1);
  });

  test('garbage in many pieces behind a request is one fault', async () => {
    const settle = await observe(running);
    await converse(running, async (client) => {
      client.send(head('GET /metrics HTTP/1.1', 'Host: a').repeat(3));
      for (let piece = 0; piece < 20; piece++) {
        client.send(`${MARK}\r\n`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await answersUntilClosed(client);
    });
    const { entries } = await settle(4);
    expect(entries.map(({ metadata }) => metadata['status']).toSorted()).toEqual([200, 200, 200, 400]);
  });

  test('a client that reads no answer loses its connection within seconds', async () => {
    const accepted = once(running.receiver.server, 'connection') as Promise<[Socket]>;
    await converse(running, async (client) => {
      client.socket.pause();
      const [socket] = await accepted;
      const closed = once(socket, 'close');
      const started = performance.now();
      // The system's own buffers take the first.
      const timer = setInterval(() => client.send(head('GET /metrics HTTP/1.1', 'Host: a').repeat(8)), 5);
      await closed;
      clearInterval(timer);
      expect(performance.now() - started).toBeLessThan(30_000);
    });
  });

  test('what follows the body is another request, not more of it', () => talks(atOnce(good(), '}}}'), [200, 400]));
});

describe('a connection stays usable after a refused body', () => {
  test('401, then 200', () => talks(inTurn(REFUSED_SMALL, good()), [401, 200]));

  test('413, then 200', () => talks(inTurn(wholePost('x'.repeat(LIMIT + 1), withToken), good()), [413, 200]));

  test('413 in chunks, then 200', () => {
    const tooLong = `${(LIMIT + 1).toString(16)}\r\n${'x'.repeat(LIMIT + 1)}\r\n0\r\n\r\n`;
    const request = postHead('Transfer-Encoding: chunked', ...fields(withToken)) + tooLong;
    return talks(inTurn(request, good()), [413, 200]);
  });

  test('415, then 405, then 404, then 200', () =>
    talks(
      inTurn(
        good('Content-Encoding: zstd'),
        good().toString('latin1').replace('POST', 'PUT'),
        good().toString('latin1').replace('/webhooks', `/${MARK}`),
        good(),
      ),
      [415, 405, 404, 200],
    ));

  test('for as long as any other, and not only for the time that is given to a body nobody wants', () =>
    talks(
      async (client) => {
        const refused = await inTurn(REFUSED_SMALL)(client);
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        return [...refused, ...(await inTurn(good())(client))];
      },
      [401, 200],
    ));
});

describe('a body that nobody wants', () => {
  const endless = async (client: RawClient): Promise<RawAnswer[]> => {
    const answer = await client.answer();
    const more = Buffer.alloc(64 * 1024, 'x');
    while (client.socket.writable) {
      await Promise.race([client.closed, new Promise((resolve) => client.socket.write(more, resolve))]);
    }
    await client.closed;
    expect(client.socket.bytesWritten).toBeLessThan(500 * LIMIT);
    return answer === undefined ? [] : [answer];
  };

  test('refused by its headers, it is answered and then cut off', () =>
    talks((client) => endless(client.send(postHead('Content-Length: 99999999999'))), [401]));

  test('too large by its length, it is answered and then cut off', () =>
    talks((client) => endless(client.send(postHead('Content-Length: 99999999999', ...fields(withToken)))), [413]));

  test('left away, its connection is cut', () =>
    talks((client) => answersUntilClosed(client.send(postHead('Content-Length: 10'))), [401]));
});

describe('Expect: 100-continue', () => {
  const expects = (length: number, ...more: readonly string[]): string =>
    postHead('Expect: 100-continue', `Content-Length: ${length}`, ...more);

  test('whoever is proven is told to go on', async () => {
    const body = freshBody();
    await talks(inTurn(expects(body.length, ...fields(withToken)), body), [100, 200]);
  });

  test('whoever is not is answered at once, and the connection ends', async () => {
    const [answer] = await talks((client) => answersUntilClosed(client.send(expects(10))), [401]);
    expect(answer?.headers['connection']).toBe('close');
  });

  test('whoever announces too much is answered at once', async () => {
    await talks((client) => answersUntilClosed(client.send(expects(LIMIT + 1, ...fields(withToken)))), [413]);
  });

  test('a client of HTTP/1.0 is not told', async () => {
    const request = good('Expect: 100-continue').toString('latin1').replace('HTTP/1.1', 'HTTP/1.0');
    await talks((client) => answersUntilClosed(client.send(request)), [200]);
  });
});

describe('clients that go', () => {
  test('closed on its side after a whole request: it is answered', async () => {
    await talks(
      (client) => {
        client.send(good()).socket.end();
        return answersUntilClosed(client);
      },
      [200],
    );
  });

  test('closed on its side in the middle of the head', async () => {
    await talks(
      (client) => {
        client.send(good().subarray(0, 40)).socket.end();
        return answersUntilClosed(client);
      },
      [400],
    );
  });

  test.each(['end', 'resetAndDestroy'] as const)('in the middle of the body (%s)', async (how) => {
    const settle = await observe(running);
    const body = freshBody();
    await converse(running, async (client) => {
      client.send(wholePost(body, withToken).subarray(0, -10));
      await until(async () => (await bufferedBytes(running)) === body.length - 10, 'most of the body has come');
      client.socket[how]();
      await client.closed;
    });
    const traces = await settle(1);
    expect(traces.lines[0]).toMatchObject({ level: 40, status: 499, reason: 'client-closed', userId: 'anonymous' });
    expect(traces.entries).toHaveLength(1);
    expect(traces.entries[0]).toMatchObject({
      action: 'webhook.receive',
      result: 'failure',
      metadata: { status: 499 },
    });
    expect([traces.outcomes, traces.bufferedBytes, traces.events]).toEqual([{ 'client-closed': 1 }, 0, []]);
  });

  test('without a word: nothing was asked, and nothing is audited', async () => {
    const settle = await observe(running);
    await converse(running, async (client) => {
      client.socket.end();
      await client.closed;
    });
    const { entries, lines } = await settle(0);
    expect([entries, lines]).toEqual([[], []]);
  });
});
