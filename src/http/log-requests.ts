import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import type { Exchange } from './exchange.ts';

/** One line for each request, written at its end, with the facts of its audit entry and nothing of its headers or path.
 * That of a deferred exchange is left to whoever ends it. */
export function logRequests(logger: Logger, exchangeOf: (request: Request) => Exchange) {
  const facts = (request: unknown): Record<string, unknown> => exchangeOf(request as Request).logLine();
  return pinoHttp<Request, Response>({
    logger,
    // Nothing is bound to the request's own logger, which nobody uses: what is bound costs each request.
    quietResLogger: true,
    wrapSerializers: false,
    serializers: { req: () => undefined, res: () => undefined, err: () => undefined },
    genReqId: (request) => exchangeOf(request as Request).id,
    customLogLevel: (request) => {
      const exchange = exchangeOf(request as Request);
      return exchange.deferred ? 'silent' : levelOf(exchange);
    },
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request',
    customSuccessObject: facts,
    customErrorObject: facts,
  });
}

/** The line of an exchange that no route has seen, or whose answer nobody waited for. */
export function logRequest(logger: Logger, exchange: Exchange): void {
  logger[levelOf(exchange)](exchange.logLine(), 'request');
}

function levelOf({ status, reason }: Exchange): 'info' | 'warn' | 'error' {
  if (status >= 500) return 'error';
  return reason === 'client-closed' ? 'warn' : 'info';
}
