import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import helmet from 'helmet';
import type { HttpSettings } from '../config/settings.ts';
import { Problem, type ProblemCode } from '../errors/problem.ts';
import { writeProblem } from './answer-problem.ts';
import { type Asked, type Connection, Connections, type GiveUpReason } from './connections.ts';
import { Exchange, exchangeOf } from './exchange.ts';
import { connectionAddress } from './read-address.ts';

// Not imported: an import of this module asks for each of its exports, and those of the WebSocket load all of Node's own HTTP
// client, which takes a tenth of a start.
const {
  createServer: createHttpServer,
  IncomingMessage: Message,
  ServerResponse: Answer,
} = process.getBuiltinModule('node:http');

export interface ServerOptions {
  readonly settings: HttpSettings;
  readonly listener: RequestListener;
  /** For a request that never reached the application. */
  readonly onRefused: (exchange: Exchange) => void;
  /** A connection was closed to make room, or not taken because there was none. */
  readonly onDropped: () => void;
  /** Called about twice a second. */
  readonly onLook: () => void;
}

/** Milliseconds between looks for connections whose time is over, and for addresses with too many. */
const LOOK_MS = 500;
const KEEP_ALIVE_MS = 65_000;
const LINGER_MS = 1_000;
/** Milliseconds beyond the time a request may take to come: no commit takes so long, so where nothing has moved until then
 * the client has stopped reading. */
const STALLED_MS = 10_000;

/** As the application has them. */
const setSecurityHeaders = helmet();

/** Node's own server with every bound set, and a voice for what Node would refuse in silence. */
export function createServer(options: ServerOptions): Server {
  const { settings } = options;
  const connections = new Connections({
    max: settings.maxConnections,
    // The connections of a proxy are those of all its clients.
    maxUnprovenPerAddress: settings.trustProxy > 0 ? Number.POSITIVE_INFINITY : settings.maxUnprovenPerAddress,
    giveUp: (connection, reason) => giveUp(options, connection, reason),
  });
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connections.of(request.socket);
    if (connection?.ask({ request, response }, () => options.listener(request, response)) === true) return;
    if (connection?.isCut === false) cut(options, connection);
    // What waits for the last answer must not grow.
    else request.socket.pause();
  };
  const server = createHttpServer(
    {
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      connectionsCheckingInterval: LOOK_MS,
      // Longer than the idle time-outs of common proxies, so that it is they who close, and never under a request.
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The application refuses it, with an entry.
      requireHostHeader: false,
      // Not even by NODE_OPTIONS: a lenient parser takes requests that a proxy reads in another way.
      insecureHTTPParser: false,
      noDelay: true,
    },
    listener,
  );
  server.timeout = settings.requestTimeoutMs + STALLED_MS;
  // A client that closes its side after its last request still reads. Node's types do not know the property.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on('connection', (socket) => {
    const connection = connections.add(socket);
    if (connection !== undefined) {
      endParsingWhenCut(connection);
      return;
    }
    options.onDropped();
    socket.destroy();
  });
  server.once('listening', () => {
    const look = (): void => {
      connections.trim();
      connections.dropUnread();
      options.onLook();
    };
    const timer = setInterval(look, LOOK_MS).unref();
    server.once('close', () => clearInterval(timer));
  });
  // With a listener Node leaves "100 Continue" to the application, which says it only to whom it lets send a body.
  server.on('checkContinue', listener);
  server.on('checkExpectation', listener);
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    const connection = connections.of(request.socket);
    // Node listens to the socket no more, and an error without a listener ends the process.
    socket.on('error', () => socket.destroy());
    request.socket.once('close', () => connection?.abandon());
    afterAnswer(connection?.newest, () => refuse(options, socket, new Problem('method-not-allowed'), request));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const connection = connections.of(socket as Socket);
    // The parser was ended: the connection ends with the answers that it still waits for.
    if (connection?.isCut === true && error.code === 'HPE_CB_HEADERS_COMPLETE') return;
    onClientError(options, error, socket, connection);
  });
  return server;
}

/** Ends a connection once all that was asked before is answered. One segment may hold thousands of requests more. */
function cut({ onRefused }: ServerOptions, connection: Connection): void {
  connection.isCut = true;
  connection.socket.pause();
  afterAnswer(connection.newest, () => connection.socket.destroy());
  const exchange = new Exchange({ method: '', headers: {} }, connectionAddress(connection.socket));
  exchange.fail(new Problem('request-given-up', { reason: 'too-many-unanswered' }));
  onRefused(exchange);
}

/** What of Node's parser is not in its documents. */
interface NodeParser {
  onIncoming?: ((request: IncomingMessage, shouldKeepAlive: boolean) => number) | null;
}

/** Any result other than 0, 1 and 2 is a fault for the parser. */
const END_PARSING = -1;

/**
 * Node hands on every request of a segment, whatever is done meanwhile, and its parser can be ended only from within. Where a later
 * Node has another one, a segment costs more, and nothing else changes.
 */
function endParsingWhenCut(connection: Connection): void {
  const { parser } = connection.socket as Socket & { readonly parser?: NodeParser };
  const handOn = parser?.onIncoming;
  if (parser === undefined || typeof handOn !== 'function') return;
  parser.onIncoming = (request, shouldKeepAlive) => (connection.isCut ? END_PARSING : handOn(request, shouldKeepAlive));
}

/** Closes a connection that has to make room. A request that has begun to come on it is answered and audited. */
function giveUp(options: ServerOptions, connection: Connection, reason: GiveUpReason): void {
  const { socket, exchange, newest } = connection;
  options.onDropped();
  const problem = new Problem('request-given-up', { reason });
  if (exchange?.pending !== undefined) {
    exchange.interruption.happen(problem);
    afterAnswer(newest, () => socket.destroy());
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  } else if (newest === undefined && socket.bytesRead > 0) refuse(options, socket, problem);
  else socket.destroy();
}

function onClientError(
  options: ServerOptions,
  error: NodeJS.ErrnoException,
  socket: Duplex,
  connection: Connection | undefined,
): void {
  const last = connection?.newest;
  // What follows a request that ends its connection is not taken, and Node closes once that one is answered.
  if (error.code === 'HPE_CLOSED_CONNECTION') {
    socket.pause();
    return;
  }
  const code = codeOf(error);
  if (code === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  if (connection?.isBroken === true) return;
  if (connection !== undefined) connection.isBroken = true;
  if (last === undefined || last.request.complete) {
    // It concerns a request of which nothing has reached the application, perhaps sent before the last one was answered.
    afterAnswer(last, () =>
      refuse(options, socket, new Problem(code === 'client-closed' ? 'malformed-request' : code)),
    );
  } else {
    // The body of the last one can never be whole now. Where that is waited for, it ends with this problem.
    connection?.beginAll();
    exchangeOf(last.request)?.interruption.happen(new Problem(code));
    afterAnswer(last, () => socket.destroy());
  }
}

/** Answers go out in the order of the requests, so the newest one's is the last. */
function afterAnswer(last: Asked | undefined, act: () => void): void {
  if (last === undefined || last.response.closed) act();
  else last.response.once('close', act);
}

/** `undefined`: the connection broke. */
function codeOf({ code }: NodeJS.ErrnoException): ProblemCode | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout';
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers-too-large';
  if (code === undefined || !code.startsWith('HPE_')) return undefined;
  // The client has closed its side in the middle of a request.
  return code === 'HPE_INVALID_EOF_STATE' ? 'client-closed' : 'malformed-request';
}

/** Answers what the application never sees as the application would. */
function refuse(options: ServerOptions, socket: Duplex, problem: Problem, request?: IncomingMessage): void {
  const origin = request?.socket ?? (socket as Socket);
  const message = request ?? new Message(origin);
  const exchange = new Exchange(message, connectionAddress(origin));
  exchange.fail(problem);
  const response = new Answer(message);
  // Not the socket: an answer that is never written may stand in its way there.
  const wire = new PassThrough();
  response.assignSocket(wire as Duplex as Socket);
  response.setHeader('x-request-id', exchange.id);
  response.setHeader('Connection', 'close');
  if (problem.code === 'method-not-allowed') response.setHeader('Allow', 'GET, HEAD, POST');
  setSecurityHeaders(message, response, () => writeProblem(response, exchange, problem));
  socket.on('error', () => socket.destroy());
  socket.end(wire.read());
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  options.onRefused(exchange);
}
