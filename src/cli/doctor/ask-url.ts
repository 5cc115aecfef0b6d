import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { TLSSocket } from 'node:tls';

const TIMEOUT_MS = 8_000;
/** Bytes of an answer that are read. */
const MAX_ANSWER = 64 * 1024;

export interface Question {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface UrlAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Epoch milliseconds; `undefined` without TLS. */
  readonly certificateEndsAt: number | undefined;
}

/**
 * One request on a connection of its own, sent once. Unlike `fetch` it tells of the certificate.
 *
 * @throws Error with the system's or TLS's `code`; TimeoutError; the signal's reason
 */
export async function askUrl({ url, method, headers = {}, body }: Question, signal: AbortSignal): Promise<UrlAnswer> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const send = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const request = send(url, { method, headers: { ...headers, ...length }, agent: false, signal: ended });
  // What comes after the answer has begun, its reader is told.
  request.on('error', () => undefined);
  request.end(body);
  try {
    const [response]: [IncomingMessage] = (await once(request, 'response')) as [IncomingMessage];
    const { socket } = response;
    const certificateEndsAt =
      socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : undefined;
    const text = await readText(response);
    return { status: response.statusCode ?? 0, headers: response.headers, text, certificateEndsAt };
  } catch (error) {
    signal.throwIfAborted();
    throw ended.aborted ? ended.reason : error;
  } finally {
    request.destroy();
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
