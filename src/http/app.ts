import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import { Problem } from '../errors/problem.ts';
import { answerProblem, toProblem } from './answer-problem.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { Exchange, requireExchange } from './exchange.ts';
import { refuseUnclear } from './judge-framing.ts';
import { requestLog } from './log-requests.ts';
import { NotReady } from './operations.ts';
import type { RawBody } from './raw-body.ts';
import { clientAddress } from './read-address.ts';
import { correctPath } from './read-target.ts';
import type { Receive } from './receive.ts';
import type { Verify } from './verify.ts';

/** Each works only behind the one before it, and is made from it. */
export interface Webhook {
  readonly rawBody: RawBody;
  readonly verify: Verify;
  readonly receive: Receive;
}

export interface AppOptions {
  readonly webhookPath: string;
  /** `undefined`: this process runs handlers only. */
  readonly webhook: Webhook | undefined;
  readonly health: RequestHandler;
  readonly ready: RequestHandler;
  readonly metrics: RequestHandler;
  readonly logger: Logger;
  readonly budget: BufferBudget;
  readonly trustProxy: number;
  readonly bodyLimitBytes: number;
  readonly onBegin: (exchange: Exchange, response: Response) => void;
  /** Once for each request, when its answer has gone out or its connection has ended. */
  readonly onEnd: (exchange: Exchange) => void;
  readonly isStopping: () => boolean;
}

export function createApp(options: AppOptions): RequestListener {
  const { webhookPath, webhook } = options;
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing');
  app.set('query parser', false).set('trust proxy', options.trustProxy);

  app.use(audit(options));
  app.use(helmet());
  app.use(pinoHttp(requestLog(options.logger)));
  app.use(refuseUnclear(options.isStopping));

  if (webhook !== undefined) {
    const { rawBody, verify, receive } = webhook;
    app.post(webhookPath, rawBody, verify, receive);
    app.all(webhookPath, allowOnly('POST'));
  }
  app.get('/healthz', options.health);
  app.get('/readyz', options.ready);
  app.get('/metrics', options.metrics);
  app.all(['/healthz', '/readyz', '/metrics'], allowOnly('GET, HEAD'));
  app.use(notFound);
  app.use(answerErrors(options));

  return (request, response) => {
    request.url = correctPath(request.url ?? '', webhook && webhookPath);
    app(request, response);
  };
}

/** Begins the record of each request, and ends it once: with its answer, or with its connection. */
function audit({ webhookPath, webhook, onBegin, onEnd }: AppOptions): RequestHandler {
  const actions = new Map([
    ['/healthz', 'health.check'],
    ['/readyz', 'health.check'],
    ['/metrics', 'metrics.scrape'],
  ]);
  if (webhook !== undefined) actions.set(webhookPath, 'webhook.receive');
  const routes = new Map([...actions].map(([path, action]) => [path, { action, resource: path }]));
  return (request, response, next) => {
    const exchange = new Exchange(request, clientAddress(request));
    exchange.route = routes.get(request.url) ?? exchange.route;
    exchange.attachTo(request);
    onBegin(exchange, response);
    response.setHeader('x-request-id', exchange.id);
    response.once('close', () => {
      // No status: nobody has answered, so the client went away first.
      if (exchange.status === 0) exchange.fail(new Problem('client-closed'));
      if (exchange.isEnding) exchange.whenKnown(() => onEnd(exchange));
      else onEnd(exchange);
    });
    next();
  };
}

function allowOnly(methods: string): RequestHandler {
  return (_request, response) => {
    response.setHeader('Allow', methods);
    throw new Problem('method-not-allowed');
  };
}

function notFound(): never {
  throw new Problem('not-found');
}

function answerErrors({ budget, bodyLimitBytes }: AppOptions): ErrorRequestHandler {
  return (error: unknown, request: Request, response: Response, _next) => {
    const exchange = requireExchange(request);
    // Not at the end of the answer, which a client can put off by not reading it.
    budget.release(exchange);
    const problem = toProblem(error);
    if (problem.code === 'internal-error') exchange.failure = problem.cause;
    const extra = error instanceof NotReady ? { faults: error.faults } : {};
    answerProblem(request, response, exchange, problem, { bodyLimitBytes, extra });
  };
}
