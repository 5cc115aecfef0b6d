import supertest from 'supertest';
import type { Headers } from './credentials.ts';
import type { RawAnswer } from './parse-answer.ts';
import { RawClient } from './raw-client.ts';
import type { RunningReceiver } from './start-receiver.ts';

export const WEBHOOK_PATH = '/webhooks/instantly';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete' | 'head' | 'options';

export interface Ask {
  readonly method?: Method;
  readonly path?: string;
  readonly headers?: Headers;
  readonly body?: string | Uint8Array;
}

type Target = Pick<RunningReceiver, 'port' | 'url'>;

/** An ordinary request by an ordinary client; the body goes out byte for byte. */
export async function ask({ url }: Pick<Target, 'url'>, request: Ask): Promise<RawAnswer> {
  const { method = 'post', path = WEBHOOK_PATH, headers = {}, body } = request;
  const pending = supertest(url)
    [method](path)
    .set({ 'content-type': 'application/json', ...headers })
    .ok(() => true)
    .buffer(true)
    .parse((response, done) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => done(null, Buffer.concat(chunks).toString('utf8')));
    });
  // The client's own serializer would write a Buffer as JSON.
  if (body !== undefined) pending.serialize((data: unknown) => data as string).send(Buffer.from(body as Uint8Array));
  const answer = await pending;
  return { status: answer.status, headers: answer.headers, text: typeof answer.body === 'string' ? answer.body : '' };
}

export function post(target: Pick<Target, 'url'>, body: string | Uint8Array, headers: Headers): Promise<RawAnswer> {
  return ask(target, { body, headers });
}

/** A request line and header fields as they are given, and an empty line. Each character is one byte. */
export function head(requestLine: string, ...fields: readonly string[]): string {
  return `${[requestLine, ...fields].join('\r\n')}\r\n\r\n`;
}

/** The head of a request to the webhook, with a Host. */
export function postHead(...fields: readonly string[]): string {
  return head(`POST ${WEBHOOK_PATH} HTTP/1.1`, 'Host: receiver.example', ...fields);
}

/** Fields of these headers. */
export function fields(headers: Headers): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

/** A whole POST to the webhook with its length. */
export function wholePost(body: string | Uint8Array, headers: Headers, ...more: readonly string[]): Buffer {
  const bytes = Buffer.from(body as Uint8Array);
  const start = postHead(`Content-Length: ${bytes.byteLength}`, ...fields(headers), ...more);
  return Buffer.concat([Buffer.from(start, 'latin1'), bytes]);
}

/** Sends these bytes on a connection of their own and gives the first answer. */
export async function askRaw(
  { port }: Pick<Target, 'port'>,
  bytes: string | Uint8Array,
  method = 'POST',
): Promise<RawAnswer> {
  const client = await RawClient.connect(port);
  const answer = await client.send(bytes).answer(method);
  client.destroy();
  if (answer === undefined) throw new Error('the connection ended without an answer');
  return answer;
}
