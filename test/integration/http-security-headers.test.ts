import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import express from 'express';
import helmet from 'helmet';
import request from 'supertest';
import { withToken } from '../support/credentials.ts';
import { freshBody } from '../support/payloads.ts';
import { head, postHead, WEBHOOK_PATH, wholePost } from '../support/post.ts';
import { BOTH_SCHEMES, type RunningReceiver, startReceiver } from '../support/start-receiver.ts';

let running: RunningReceiver;
/** `name: value` as helmet sets them by default, in lower case. */
let expected: string[];

beforeAll(async () => {
  running = await startReceiver({
    ...BOTH_SCHEMES,
    BODY_LIMIT: '1kb',
    FAILED_AUTH_PER_MINUTE: '1',
    REQUEST_TIMEOUT_SECONDS: '1',
    HEADERS_TIMEOUT_SECONDS: '1',
  });
  const app = express().use(helmet(), (_request, response) => void response.end());
  const bare = await request(express().use((_request, response) => void response.end())).get('/');
  const { headers } = await request(app).get('/');
  expected = Object.entries(headers)
    .filter(([name]) => !(name in bare.headers))
    .map(([name, value]) => `${name}: ${value}`)
    .toSorted();
});
afterAll(() => running.stop());

const ending = 'Connection: close';
const get = (path: string, method = 'GET'): string => head(`${method} ${path} HTTP/1.1`, 'Host: a', ending);

test.each<[status: number, name: string, bytes: () => string | Uint8Array]>([
  [200, 'accepted', () => wholePost(freshBody(), withToken, ending)],
  [401, 'no credentials', () => wholePost('{}', {}, ending)],
  [429, 'too many failures', () => wholePost('{}', {}, ending)],
  [413, 'too large', () => wholePost('x'.repeat(2_000), withToken, ending)],
  [415, 'unknown coding', () => wholePost('x', withToken, ending, 'Content-Encoding: zstd')],
  [400, 'not JSON', () => wholePost('x', withToken, ending)],
  [400, 'two Hosts', () => wholePost('x', withToken, ending, 'Host: b')],
  [405, 'another method', () => get(WEBHOOK_PATH)],
  [404, 'an unknown path', () => get('/nothing')],
  [404, 'a target that Express cannot read', () => get('*')],
  [200, 'health', () => get('/healthz')],
  [200, 'health by HEAD', () => get('/healthz', 'HEAD')],
  [200, 'readiness', () => get('/readyz')],
  [200, 'metrics', () => get('/metrics')],
  [400, 'no HTTP', () => 'garbage\r\n\r\n'],
  [431, 'headers too large', () => postHead(`x: ${'a'.repeat(20_000)}`)],
  [405, 'CONNECT', () => head('CONNECT a:443 HTTP/1.1', 'Host: a')],
  [408, 'half a request', () => 'GET /healthz HTTP/1.1\r\nHost:'],
  [408, 'half a body', () => wholePost('{}', withToken).subarray(0, -1)],
])('%i, %s: every header of helmet stands there, and once', async (status, _name, bytes) => {
  const socket = connect(running.port, '127.0.0.1');
  socket.write(bytes());
  const answer = await text(socket);
  const [first = '', ...lines] = answer.split('\r\n\r\n', 1)[0]?.split('\r\n') ?? [];
  expect(first).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  const headers = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()));
  const names = new Set(expected.map((line) => line.split(':', 1)[0]));
  expect(headers.filter((line) => names.has(line.split(':', 1)[0])).toSorted()).toEqual(expected);
  const all = headers.map((line) => line.split(':', 1)[0]);
  expect(all).toEqual([...new Set(all)]);
  expect(all).toEqual(expect.arrayContaining(['x-request-id', 'date', 'connection']));
  expect(all).not.toContain('x-powered-by');
});
