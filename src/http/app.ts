import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import { Problem } from '../errors/problem.ts';
import { answerProblem, toProblem } from './answer-problem.ts';
import { Exchange, type Route } from './exchange.ts';
import { logRequests } from './log-requests.ts';
import { NotReady } from './operations.ts';

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
  /** Once for each request, when its answer has gone out or its connection has ended. */
  readonly onEnd: (exchange: Exchange) => void;
  readonly onBegin: (exchange: Exchange, request: Request) => void;
  readonly isStopping: () => boolean;
}

export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.set('query parser', false).set('trust proxy', options.trustProxy);
  const exchanges = new WeakMap<Request, Exchange>();
  const exchangeOf = (request: Request): Exchange => {
    const exchange = exchanges.get(request);
    if (exchange === undefined) throw new Error('a request reached its route without an exchange');
    return exchange;
  };

  app.use((request, response, next) => {
    const exchange = new Exchange(request, request.ip);
    exchanges.set(request, exchange);
    response.setHeader('x-request-id', exchange.id);
    if (options.isStopping()) response.setHeader('Connection', 'close');
    options.onBegin(exchange, request);
    response.once('close', () => {
      // No status: nobody has answered, so the client went away first.
      if (exchange.status === 0) exchange.fail(new Problem('client-closed'));
      exchange.deferred = exchange.committing;
      if (!exchange.deferred) options.onEnd(exchange);
    });
    next();
  });
  app.use(logRequests(options.logger, exchangeOf));
  app.use(helmet());
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
      if (exchange.deferred) options.onEnd(exchange);
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
    answerProblem(request, response, exchange, problem, error instanceof NotReady ? { faults: error.faults } : {});
    if (exchange.deferred) options.onEnd(exchange);
  });
  return app;
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
