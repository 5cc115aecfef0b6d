import type { RequestListener } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import { plainPath } from '../authenticate/index.ts';
import { Problem } from '../errors/problem.ts';
import { answerProblem, toProblem } from './answer-problem.ts';
import { Exchange, exchangeOf, type Route } from './exchange.ts';
import { awaitsContinue, endsConnection, findFramingFault } from './judge-framing.ts';
import { logFailure, logRequest, logRequests } from './log-requests.ts';
import { NotReady } from './operations.ts';
import { clientAddress } from './read-address.ts';
import { readTarget } from './read-target.ts';
import { setSecurityHeaders } from './security-headers.ts';

export type RouteHandler = (request: Request, response: Response, exchange: Exchange) => void | Promise<void>;

export interface AppRoute extends Route {
  readonly path: string;
  /** Found by other spellings of its path too: in another case, with slashes doubled or at the end. */
  readonly forgiving?: boolean;
  /** The first answers HEAD too where it is GET. */
  readonly method: 'GET' | 'POST';
  /** Its good answers are written by `writeAnswer`, with the headers that all answers have. */
  readonly writesHead?: boolean;
  readonly handle: RouteHandler;
}

export interface AppOptions {
  readonly routes: readonly AppRoute[];
  readonly logger: Logger;
  readonly trustProxy: number;
  readonly bodyLimitBytes: number;
  readonly onBegin: (exchange: Exchange, response: Response) => void;
  /** Once for each request, when its answer has gone out or its connection has ended. */
  readonly onEnd: (exchange: Exchange) => void;
  readonly isStopping: () => boolean;
}

export function createApp(options: AppOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.set('query parser', false).set('trust proxy', options.trustProxy);
  const log = logRequests(options.logger, requireExchange);
  const answerError = (error: unknown, request: Request, response: Response, exchange: Exchange): void => {
    const problem = toProblem(error);
    if (problem.code === 'internal-error') exchange.failure = problem.cause;
    if (exchange.isProven) logFailure(options.logger, exchange);
    const extra = error instanceof NotReady ? { faults: error.faults } : {};
    answerProblem(request, response, exchange, problem, { bodyLimitBytes: options.bodyLimitBytes, extra });
    if (exchange.deferred) endDeferred(options, exchange);
  };
  // One layer, since each costs a request as much as what it does.
  app.use((request, response, next) => {
    const exchange = new Exchange(request, clientAddress(request));
    exchange.attachTo(request);
    options.onBegin(exchange, response);
    const fault = findFramingFault(request);
    exchange.awaitsContinue = awaitsContinue(request);
    // A connection that was kept open would hold up the end of the service.
    exchange.isLast = fault !== undefined || endsConnection(request) || options.isStopping();
    if (exchange.isLast) response.setHeader('Connection', 'close');
    response.once('close', () => {
      // No status: nobody has answered, so the client went away first.
      if (exchange.status === 0) exchange.fail(new Problem('client-closed'));
      exchange.deferred = exchange.ending;
      if (!exchange.deferred) options.onEnd(exchange);
    });
    log(request, response);
    // Node would refuse some of it itself, without a word to the audit.
    if (fault !== undefined) throw fault;
    next();
  });
  for (const route of options.routes) {
    app.all(route.path, async (request: Request, response: Response) => {
      const exchange = requireExchange(request);
      exchange.route = route;
      try {
        if (route.writesHead !== true) setCommonHeaders(response, exchange);
        if (!allows(route, request.method)) {
          response.setHeader('Allow', route.method === 'GET' ? 'GET, HEAD' : route.method);
          throw new Problem('method-not-allowed');
        }
        await route.handle(request, response, exchange);
        if (exchange.deferred) endDeferred(options, exchange);
      } catch (error) {
        // Not by way of the router, which would look through all that comes after this route.
        answerError(error, request, response, exchange);
      }
    });
  }
  app.use(() => {
    throw new Problem('not-found');
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerError(error, request, response, requireExchange(request));
  });
  const forgiving = options.routes.find((route) => route.forgiving);
  return (request, response) => {
    request.url = correctPath(readTarget(request.url ?? ''), forgiving?.path);
    app(request, response);
  };
}

function correctPath(path: string, own: string | undefined): string {
  if (own === undefined || path === own) return path;
  return plainPath(path) === plainPath(own) ? own : path;
}

/** The client went away under the commit, and only now is it known how the request ended. */
function endDeferred({ logger, onEnd }: AppOptions, exchange: Exchange): void {
  logRequest(logger, exchange);
  onEnd(exchange);
}

function requireExchange(request: Request): Exchange {
  const exchange = exchangeOf(request);
  if (exchange === undefined) throw new Error('a request reached its route without an exchange');
  return exchange;
}

function setCommonHeaders(response: Response, exchange: Exchange): void {
  response.setHeader('x-request-id', exchange.id);
  setSecurityHeaders(response);
}

function allows(route: AppRoute, method: string): boolean {
  return method === route.method || (method === 'HEAD' && route.method === 'GET');
}
