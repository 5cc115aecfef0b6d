import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { FakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';

export interface FakeAnswer {
  readonly status: number;
  /** Parsed where it is JSON. */
  readonly body: unknown;
}

export interface CallOptions {
  /** Its text; default: the key with every scope; null: none. */
  readonly key?: string | null;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Below the address itself and not below /api/v2. */
  readonly control?: boolean;
}

/** @param what such as `GET /webhooks?limit=1` */
export async function callFake(fake: FakeInstantly, what: string, options: CallOptions = {}): Promise<FakeAnswer> {
  const [method = 'GET', path = ''] = what.split(' ');
  const { key = fake.keys.all, body, control = false } = options;
  const response = await fetch(`${fake.url}${control ? '' : '/api/v2'}${path}`, {
    method,
    headers: {
      ...(key === null || control ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  return { status: response.status, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Target {
  /** Without a slash at its end. */
  readonly url: string;
  readonly received: Received[];
  /** What it answers from now on: a status, or what it does with the response. */
  answer: number | ((response: ServerResponse) => void);
  stop(): Promise<void>;
}

/** Somebody's receiver of webhooks. */
export async function startTarget(): Promise<Target> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = (await buffer(request)).toString('utf8');
    received.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    if (typeof target.answer === 'function') target.answer(response);
    else response.writeHead(target.answer).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target: Target = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: 200,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return target;
}
