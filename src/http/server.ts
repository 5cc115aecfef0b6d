import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { HttpSettings } from '../config/settings.ts';
import { Problem, type ProblemCode } from '../errors/problem.ts';
import { problemBody } from './answer-problem.ts';
import { Exchange } from './exchange.ts';

export interface ServerOptions {
  readonly settings: HttpSettings;
  readonly listener: RequestListener;
  /** The request that this connection is busy with. */
  readonly exchangeOn: (socket: Duplex) => Exchange | undefined;
  /** For a request that never reached the application. */
  readonly onRefused: (exchange: Exchange) => void;
  readonly onDropped: () => void;
}

/** Milliseconds between looks for connections whose time is over. */
const LOOK_MS = 500;
const KEEP_ALIVE_MS = 65_000;
const LINGER_MS = 1_000;

/** Node's own server with every bound set, and a voice for what Node would refuse in silence. */
export function createServer(options: ServerOptions): Server {
  const { settings, listener } = options;
  const server = createHttpServer(
    {
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      connectionsCheckingInterval: LOOK_MS,
      // Longer than the idle time-outs of common proxies, so that it is they who close, and never under a request.
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The application refuses it, with an entry.
      requireHostHeader: false,
      noDelay: true,
    },
    listener,
  );
  server.maxConnections = settings.maxConnections;
  server.on('drop', () => {
    options.onDropped();
    // Idle ones make room first.
    server.closeIdleConnections();
  });
  // With a listener Node leaves "100 Continue" to the application, which says it only to whom it lets send a body.
  server.on('checkContinue', listener);
  server.on('checkExpectation', listener);
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    refuse(options, socket, new Problem('method-not-allowed'), request);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => onClientError(options, error, socket));
  return server;
}

function onClientError(options: ServerOptions, error: NodeJS.ErrnoException, socket: Duplex): void {
  const busy = options.exchangeOn(socket);
  const code = codeOf(error);
  if (busy !== undefined && code !== undefined) {
    // Its body can never be whole now. Where it waits for the body it answers; where it has answered, the line is cut.
    busy.interrupt(new Problem(code));
    if (busy.status !== 0) socket.destroy();
    return;
  }
  if (code === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  refuse(options, socket, new Problem(code));
}

/** `undefined`: the connection broke, and nothing was asked. */
function codeOf({ code }: NodeJS.ErrnoException): ProblemCode | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout';
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers-too-large';
  if (code === undefined || !code.startsWith('HPE_')) return undefined;
  return code === 'HPE_INVALID_EOF_STATE' ? undefined : 'malformed-request';
}

function refuse(options: ServerOptions, socket: Duplex, problem: Problem, request?: IncomingMessage): void {
  const address = (socket as Socket).remoteAddress;
  const exchange = new Exchange(request ?? { method: '', headers: {} }, address);
  exchange.fail(problem);
  const body = JSON.stringify(problemBody(problem, exchange.id));
  const allow = problem.code === 'method-not-allowed' ? 'Allow: GET, HEAD, POST\r\n' : '';
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\n` +
      `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `x-request-id: ${exchange.id}\r\n${allow}Connection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  options.onRefused(exchange);
}
