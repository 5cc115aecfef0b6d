import type { IncomingMessage, RequestListener } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import { Problem } from '../errors/problem.ts';
import { answerProblem, toProblem } from './answer-problem.ts';
import { Exchange, type Route } from './exchange.ts';
import { logRequest, logRequests } from './log-requests.ts';
import { NotReady } from './operations.ts';
import { clientAddress } from './read-address.ts';
import { readTarget } from './read-target.ts';
import { securityHeaders } from './security-headers.ts';

export type RouteHandler = (request: Request, response: Response, exchange: Exchange) => void | Promise<void>;

export interface AppRoute extends Route {
  readonly path: string;
  /** The first answers HEAD too where it is GET. */
  readonly method: 'GET' | 'POST';
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
  /** Where the exchange of each request is put as soon as it comes. */
  readonly exchanges: WeakMap<IncomingMessage, Exchange>;
  readonly isStopping: () => boolean;
}

export function createApp(options: AppOptions): RequestListener {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.set('query parser', false).set('trust proxy', options.trustProxy);
  const exchangeOf = (request: Request): Exchange => {
    const exchange = options.exchanges.get(request);
    if (exchange === undefined) throw new Error('a request reached its route without an exchange');
    return exchange;
  };

  app.use((request, response, next) => {
    const exchange = new Exchange(request, clientAddress(request));
    options.exchanges.set(request, exchange);
    options.onBegin(exchange, response);
    response.setHeader('x-request-id', exchange.id);
    // A connection that was kept open would hold up the end of the service.
    if (options.isStopping()) response.setHeader('Connection', 'close');
    response.once('close', () => {
      // No status: nobody has answered, so the client went away first.
      if (exchange.status === 0) exchange.fail(new Problem('client-closed'));
      exchange.deferred = exchange.committing;
      if (!exchange.deferred) options.onEnd(exchange);
    });
    next();
  });
  app.use(logRequests(options.logger, exchangeOf));
  app.use(securityHeaders());
  app.use(refuseWithoutHost);
  for (const route of options.routes) {
    app.all(route.path, async (request: Request, response: Response) => {
      const exchange = exchangeOf(request);
      exchange.route = route;
      if (!allows(route, request.method)) {
        response.setHeader('Allow', route.method === 'GET' ? 'GET, HEAD' : route.method);
        throw new Problem('method-not-allowed');
      }
      await route.handle(request, response, exchange);
      if (exchange.deferred) endDeferred(options, exchange);
    });
  }
  app.use(() => {
    throw new Problem('not-found');
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const problem = toProblem(error);
    if (problem.code === 'internal-error')
      options.logger.error({ err: problem.cause }, 'a request could not be served');
    const exchange = exchangeOf(request);
    const extra = error instanceof NotReady ? { faults: error.faults } : {};
    answerProblem(request, response, exchange, problem, { bodyLimitBytes: options.bodyLimitBytes, extra });
    if (exchange.deferred) endDeferred(options, exchange);
  });
  return (request, response) => {
    request.url = readTarget(request.url ?? '');
    app(request, response);
  };
}

/** The client went away under the commit, and only now is it known how the request ended. */
function endDeferred({ logger, onEnd }: AppOptions, exchange: Exchange): void {
  logRequest(logger, exchange);
  onEnd(exchange);
}

function allows(route: AppRoute, method: string): boolean {
  return method === route.method || (method === 'HEAD' && route.method === 'GET');
}

/** Node would refuse this itself, without a word to the audit. */
function refuseWithoutHost(request: Request, _response: Response, next: NextFunction): void {
  if (request.httpVersion === '1.1' && request.headers.host === undefined) {
    throw new Problem('malformed-request', { reason: 'no-host' });
  }
  next();
}
