import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkSilence } from '../support/check-case.ts';
import { answersUntilClosed, converse } from '../support/converse.ts';
import { withToken } from '../support/credentials.ts';
import { observe, type Traces } from '../support/observe.ts';
import type { RawAnswer } from '../support/parse-answer.ts';
import { freshBody } from '../support/payloads.ts';
import { fields, head, WEBHOOK_PATH, wholePost } from '../support/post.ts';
import type { RawClient } from '../support/raw-client.ts';
import { type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

let running: RunningReceiver;
beforeAll(async () => {
  running = await startReceiver();
});
afterAll(() => running.stop());

const TOKEN = fields(withToken);
const SECOND = 'the-second';
const second = (): Buffer => wholePost(freshBody(), withToken, `x-request-id: ${SECOND}`, 'Connection: close');

/** A whole authentic POST. `line`: what stands in place of its target and version. */
function post(more: readonly string[], line = `${WEBHOOK_PATH} HTTP/1.1`, host = ['Host: receiver.example']): string {
  const body = freshBody();
  return head(`POST ${line}`, ...host, `Content-Length: ${body.length}`, ...TOKEN, ...more) + body;
}

function chunkedPost(more: readonly string[], version = 'HTTP/1.1'): string {
  const body = freshBody();
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  return head(`POST ${WEBHOOK_PATH} ${version}`, 'Host: receiver.example', ...TOKEN, ...more) + chunks;
}

const withHosts = (...hosts: readonly string[]) =>
  post(
    [],
    undefined,
    hosts.map((host) => `Host: ${host}`),
  );
const atVersion = (version: string, ...more: readonly string[]) => post(more, `${WEBHOOK_PATH}${version}`);
const get = (...more: readonly string[]) => head('GET /healthz HTTP/1.1', 'Host: receiver.example', ...more);
const CHUNKED = 'Transfer-Encoding: chunked';
const EXPECT = 'Expect: 100-continue';

interface Said {
  readonly answers: RawAnswer[];
  readonly traces: Traces;
}

/** Sends both on one connection and reads until it ends. */
async function talk(first: string, send: (client: RawClient, bytes: Buffer) => void): Promise<Said> {
  const settle = await observe(running);
  const bytes = Buffer.concat([Buffer.from(first, 'latin1'), second()]);
  const answers = await converse(running, (client) => {
    send(client, bytes);
    return answersUntilClosed(client);
  });
  const traces = await settle(answers.filter(({ status }) => status >= 200).length);
  checkSilence(answers.at(-1), traces);
  return { answers: answers.filter(({ status }) => status >= 200), traces };
}

const inOneSegment = (client: RawClient, bytes: Buffer): void => void client.send(bytes);

/** Only the first was taken, and its answer says that nothing after it was. */
function checkEnded({ answers, traces }: Said, status: number, reason: string): void {
  expect(answers.map((answer) => answer.status)).toEqual([status]);
  expect(answers[0]?.headers['connection']).toBe('close');
  expect(traces.entries.map(({ metadata }) => [metadata['status'], metadata['reason']])).toEqual([[status, reason]]);
  expect(traces.lines.map((line) => [line['status'], line['reason']])).toEqual([[status, reason]]);
  expect(traces.events).toHaveLength(reason === 'accepted' ? 1 : 0);
  expect(JSON.stringify(traces.log)).not.toContain(SECOND);
}

const REFUSED: readonly (readonly [string, () => string, string])[] = [
  ['gzip, then chunked', () => chunkedPost(['Transfer-Encoding: gzip, chunked']), 'transfer-encoding'],
  ['identity, then chunked', () => chunkedPost(['Transfer-Encoding: identity', CHUNKED]), 'transfer-encoding'],
  ['identity without a body', () => get('Transfer-Encoding: identity'), 'transfer-encoding'],
  ['an unknown coding, then chunked', () => chunkedPost(['Transfer-Encoding: x, chunked']), 'transfer-encoding'],
  [
    'another coding in HTTP/1.0',
    () => chunkedPost(['Transfer-Encoding: gzip, chunked'], 'HTTP/1.0'),
    'transfer-encoding',
  ],
  ['no version', () => atVersion(''), 'http-version'],
  ['no version and no field', () => 'GET /healthz\r\n\r\n', 'http-version'],
  ['version 0.9', () => atVersion(' HTTP/0.9'), 'http-version'],
  ['version 2.0', () => atVersion(' HTTP/2.0'), 'http-version'],
  ['two hosts', () => withHosts('receiver.example', 'other.example'), 'several-hosts'],
  ['one host twice', () => withHosts('receiver.example', 'receiver.example'), 'several-hosts'],
  ['an empty host and another', () => withHosts('', 'receiver.example'), 'several-hosts'],
  ['two hosts in HTTP/1.0', () => atVersion(' HTTP/1.0', 'Host: b', 'Connection: keep-alive'), 'several-hosts'],
  ['two hosts and another in the target', () => post(['HOST: b'], `http://c${WEBHOOK_PATH} HTTP/1.1`), 'several-hosts'],
  ['a host with a space', () => withHosts('a b'), 'malformed-host'],
  ['two hosts in one field', () => withHosts('a, b'), 'malformed-host'],
  ['a host with a path', () => withHosts('a/b'), 'malformed-host'],
  ['a host with a user', () => withHosts('user@a'), 'malformed-host'],
  ['a host with a scheme', () => withHosts('http://a'), 'malformed-host'],
  ['a host beyond ASCII', () => withHosts('\xe4.example'), 'malformed-host'],
  ['a host with a port that is no number', () => withHosts('a:80a'), 'malformed-host'],
  ['a host with two ports', () => withHosts('a:80:80'), 'malformed-host'],
  ['a host with an open bracket', () => withHosts('[::1'), 'malformed-host'],
  ['a host with half an escape', () => withHosts('a%2'), 'malformed-host'],
  ['no host', () => post([], undefined, []), 'no-host'],
  ['no host, and one in the target', () => post([], `http://c${WEBHOOK_PATH} HTTP/1.1`, []), 'no-host'],
  ['no host, for a path that is not served', () => head('GET /other HTTP/1.1'), 'no-host'],
];

/** Legal, but where the next request begins is not sure, or that there may be one. */
const LAST: readonly (readonly [string, () => string])[] = [
  ['an upgrade to a WebSocket', () => post(['Connection: Upgrade', 'Upgrade: websocket'])],
  [
    'an upgrade as Java offers it',
    () => post(['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAM']),
  ],
  ['an upgrade in chunks', () => chunkedPost(['Connection: upgrade', 'Upgrade: h2c', CHUNKED])],
  [
    'an upgrade that two fields offer',
    () => post(['Connection: keep-alive', 'Connection: upgrade', 'Upgrade: a', 'Upgrade: b']),
  ],
  ['an upgrade in HTTP/1.0', () => atVersion(' HTTP/1.0', 'Connection: keep-alive, Upgrade', 'Upgrade: h2c')],
  ['an upgrade whose Connection does not name it', () => post(['Upgrade: h2c'])],
  ['chunks in HTTP/1.0', () => chunkedPost([CHUNKED, 'Connection: keep-alive'], 'HTTP/1.0')],
  ['an expectation in HTTP/1.0', () => atVersion(' HTTP/1.0', EXPECT, 'Connection: keep-alive')],
];

/** Requests without a body or credentials, for which the same holds. */
const LAST_OTHERWISE: readonly (readonly [string, () => string, number, string])[] = [
  ['an upgrade of a health check', () => get('Connection: Upgrade', 'Upgrade: websocket'), 200, 'ok'],
  [
    'an upgrade on a path that is not served',
    () => get('Connection: Upgrade', 'Upgrade: a').replace('healthz', 'x'),
    404,
    'not-found',
  ],
  ['an expectation without a body', () => get(EXPECT), 200, 'ok'],
  ['an expectation on a path that is not served', () => post([EXPECT], '/x HTTP/1.1'), 404, 'not-found'],
  ['an expectation without credentials', () => wholePost('{}', {}, EXPECT).toString('latin1'), 401, 'missing'],
];

/** All of these are clear: both requests are taken. */
const CLEAR: readonly (readonly [string, () => string, number?])[] = [
  ['an empty host', () => withHosts('')],
  ['a host with a port', () => withHosts('10.0.0.7:3000')],
  ['a host with an empty port', () => withHosts('receiver.example:')],
  ['a host with an underscore', () => withHosts('instantly_receiver')],
  ['an IPv6 host', () => withHosts('[2001:db8::1]:3000')],
  ['an IPv6 host with its zone', () => withHosts('[fe80::1%25eth0]')],
  ['white space around a host', () => withHosts(' \t receiver.example \t ')],
  ['an absolute target of another host', () => post([], `http://other.example${WEBHOOK_PATH} HTTP/1.1`)],
  ['HTTP/1.0 kept alive without a host', () => post(['Connection: keep-alive'], `${WEBHOOK_PATH} HTTP/1.0`, [])],
  ['chunks', () => chunkedPost([CHUNKED])],
  ['chunks in upper case and white space', () => chunkedPost(['Transfer-Encoding: \t CHUNKED '])],
  ['the codings that a client takes', () => post(['TE: trailers, gzip', 'Connection: TE'])],
  ['a Connection that names an upgrade and no Upgrade', () => post(['Connection: upgrade'])],
  ['another expectation', () => post(['Expect: 200-ok'])],
  ['a body that a GET carries', () => `${get('Content-Length: 3')}abc`],
  ['chunks that a GET carries', () => `${get(CHUNKED)}3\r\nabc\r\n0\r\n\r\n`],
  ['an empty line before it', () => `\r\n${post([])}`],
  ['TRACE', () => post([]).replace('POST', 'TRACE'), 405],
  ['OPTIONS of the whole server', () => head('OPTIONS * HTTP/1.1', 'Host: a'), 404],
];

describe('a request that RFC 9112 has refused: one answer, one entry, and nothing after it', () => {
  test.each(REFUSED)('%s', async (_name, first, reason) => {
    const said = await talk(first(), inOneSegment);
    checkEnded(said, 400, reason);
    expect(said.traces.entries[0]).toMatchObject({ action: 'request.refuse', userId: 'anonymous', result: 'failure' });
  });
});

describe('a request after which nothing is taken', () => {
  test.each(LAST)('%s', async (_name, first) => checkEnded(await talk(first(), inOneSegment), 200, 'accepted'));
  test.each(LAST_OTHERWISE)('%s', async (_name, first, status, reason) =>
    checkEnded(await talk(first(), inOneSegment), status, reason),
  );

  test('what follows in a segment of its own is not taken either', async () => {
    const arrived = (): Promise<unknown> => new Promise((resolve) => running.receiver.server.once('request', resolve));
    const said = await talk(post(['Connection: Upgrade', 'Upgrade: h2c']), (client, bytes) => {
      const end = bytes.indexOf('POST', 10);
      void arrived().then(() => client.send(bytes.subarray(end)));
      client.send(bytes.subarray(0, end));
    });
    checkEnded(said, 200, 'accepted');
  });

  test('a thousand requests behind it are not taken, and leave no entry', async () => {
    const said = await talk(`${post(['Upgrade: h2c'])}${get().repeat(1_000)}`, inOneSegment);
    checkEnded(said, 200, 'accepted');
  });
});

describe('a request that is unusual and clear', () => {
  test.each(CLEAR)('%s', async (_name, first, status = 200) => {
    const { answers, traces } = await talk(first(), inOneSegment);
    expect(answers.map((answer) => answer.status)).toEqual([status, 200]);
    expect(traces.entries.map(({ metadata }) => metadata['status']).toSorted()).toEqual([status, 200].toSorted());
    expect(traces.lines.at(-1)).toMatchObject({ requestId: SECOND, status: 200, reason: 'accepted' });
  });

  test('a body that is waited for by a client which was told to go on leaves its connection open', async () => {
    const body = freshBody();
    await converse(running, async (client) => {
      client.send(head(`POST ${WEBHOOK_PATH} HTTP/1.1`, 'Host: a', EXPECT, `Content-Length: ${body.length}`, ...TOKEN));
      expect((await client.answer())?.status).toBe(100);
      expect((await client.send(body).answer())?.status).toBe(200);
      expect((await client.send(second()).answer())?.status).toBe(200);
    });
  });
});
