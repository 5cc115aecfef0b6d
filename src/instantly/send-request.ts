import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ProxySettings } from '../config/settings.ts';
import { LARGE_BODY_BYTES } from '../events/interpret-body.ts';

/** Bytes of an answer that are read: a page of the delivery log holds whole payloads. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface OutgoingRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

export interface IncomingAnswer {
  readonly status: number;
  readonly headers: { readonly date?: string | undefined; readonly 'retry-after'?: string | undefined };
  /** Bytes: it is large, so that reading it takes time; they have memory of their own. `undefined`: it is larger than is read. */
  readonly content: string | Uint8Array<ArrayBuffer> | undefined;
}

/** Rejects with what the system or the signal says. No redirect is followed. */
export type Send = (url: URL, request: OutgoingRequest) => Promise<IncomingAnswer>;

/** Not `fetch`, which takes no proxy of its own for some calls and not for others. */
export function createSend(proxy: ProxySettings | undefined): Send {
  const plain = new HttpAgent({ keepAlive: true });
  const secure = new HttpsAgent({
    keepAlive: true,
    ...(proxy === undefined ? {} : { proxyEnv: { HTTPS_PROXY: proxy.url.reveal(), NO_PROXY: proxy.except } }),
  });
  return async (url, { method, headers, body, signal }) => {
    const [request, agent] = url.protocol === 'https:' ? [httpsRequest, secure] : [httpRequest, plain];
    const answered = Promise.withResolvers<IncomingMessage>();
    const outgoing = request(url, {
      method,
      agent,
      signal,
      headers: {
        ...headers,
        'accept-encoding': 'gzip, deflate, br',
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
    });
    outgoing.on('response', answered.resolve).on('error', answered.reject).end(body);
    const answer = await answered.promise;
    return { status: answer.statusCode ?? 0, headers: answer.headers, content: await readContent(answer) };
  };
}

async function readContent(answer: IncomingMessage): Promise<IncomingAnswer['content']> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of unpacked(answer) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) {
      answer.destroy();
      return undefined;
    }
    chunks.push(chunk);
  }
  if (bytes <= LARGE_BODY_BYTES) return Buffer.concat(chunks).toString('utf8');
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function unpacked(answer: IncomingMessage): Readable {
  const decoder = decoderOf(answer.headers['content-encoding']);
  if (decoder === undefined) return answer;
  answer.on('error', (error) => decoder.destroy(error));
  return answer.pipe(decoder);
}

function decoderOf(encoding: string | undefined) {
  switch (encoding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      return undefined;
  }
}
