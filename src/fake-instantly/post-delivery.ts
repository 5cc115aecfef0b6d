import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { types } from 'node:util';
import { isLoopbackHost } from '../config/is-loopback.ts';
import { errnoCode } from '../config/read-text-file.ts';

export interface PosterOptions {
  /** Milliseconds from the first byte to the answer's headers. */
  readonly timeoutMs: number;
  /** Where everything goes, whatever the webhook names; the webhook's path and query are kept. */
  readonly deliverTo: URL | undefined;
  readonly allowRemote: boolean;
}

export interface Posted {
  readonly success: boolean;
  /** null where nothing answered. */
  readonly statusCode: number | null;
  readonly error: string | null;
  readonly responseTimeMs: number | null;
}

const AT_ONCE = 32;
const IDLE_SOCKETS = 16;
/** Of an answer that nobody reads. */
const ANSWER_BYTES = 65_536;

/** What would break the framing of the request, and what is ours to say. */
const OUR_HEADERS = new Set(['content-length', 'content-type', 'transfer-encoding', 'connection']);

/** Posts payloads, a bounded number at once. */
export class Poster {
  readonly #options: PosterOptions;
  readonly #http = new HttpAgent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS });
  readonly #https = new HttpsAgent({ keepAlive: true, maxFreeSockets: IDLE_SOCKETS });
  readonly #stop = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: PosterOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Never rejects: what went wrong is in the result. */
  async post(target: string, headers: Readonly<Record<string, string>> | null, body: string): Promise<Posted> {
    await this.#turn();
    const started = performance.now();
    try {
      const statusCode = await this.#send(target, headers ?? {}, body);
      const responseTimeMs = Math.round(performance.now() - started);
      const success = statusCode >= 200 && statusCode < 300;
      const error = success ? null : `Request failed with status code ${statusCode}`;
      return { success, statusCode, error, responseTimeMs };
    } catch (error) {
      return {
        success: false,
        statusCode: null,
        error: describeError(error),
        responseTimeMs: Math.round(performance.now() - started),
      };
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#stop.abort(new Error('The service is closing'));
    this.#http.destroy();
    this.#https.destroy();
  }

  async #turn(): Promise<void> {
    // Whoever ends hands its place on.
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
  }

  #send(target: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> {
    const url = this.#address(target);
    const secure = url.protocol === 'https:';
    const request = secure ? httpsRequest : httpRequest;
    const bytes = Buffer.from(body);
    const own = Object.entries(headers).filter(([name]) => !OUR_HEADERS.has(name.toLowerCase()));
    return new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        {
          method: 'POST',
          agent: secure ? this.#https : this.#http,
          headers: {
            accept: 'application/json, text/plain, */*',
            ...Object.fromEntries(own),
            'content-type': 'application/json',
            'content-length': bytes.byteLength,
          },
          signal: this.#stop.signal,
        },
        (answer) => {
          clearTimeout(timer);
          drain(answer, this.#options.timeoutMs);
          resolve(answer.statusCode ?? 0);
        },
      );
      const timer = setTimeout(() => outgoing.destroy(new Error('Connection timeout')), this.#options.timeoutMs);
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(this.#stop.signal.aborted ? this.#stop.signal.reason : error);
      });
      outgoing.end(bytes);
    });
  }

  #address(target: string): URL {
    const named = new URL(target);
    const { deliverTo, allowRemote } = this.#options;
    const url = deliverTo === undefined ? named : redirect(named, deliverTo);
    if (!allowRemote && !isLoopbackHost(url.hostname)) {
      throw new Error('Not sent: the address is not on this machine');
    }
    return url;
  }
}

/** A name with several addresses fails with an error of several, which itself says nothing. */
function describeError(error: unknown): string {
  // Not by `instanceof`: an error of Node's own is no instance of another realm's Error.
  if (!types.isNativeError(error)) return 'Request failed';
  return error.message === '' ? errnoCode(error) : error.message;
}

function redirect(target: URL, deliverTo: URL): URL {
  const url = new URL(deliverTo);
  url.pathname = `${deliverTo.pathname.replace(/\/+$/, '')}${target.pathname}`;
  url.search = target.search;
  url.username = target.username;
  url.password = target.password;
  return url;
}

/** So that the connection can be used again, and not for ever. */
function drain(answer: IncomingMessage, timeoutMs: number): void {
  let bytes = 0;
  const timer = setTimeout(() => answer.destroy(), timeoutMs);
  timer.unref();
  answer.on('error', () => undefined);
  answer.on('close', () => clearTimeout(timer));
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES) answer.destroy();
  });
}
