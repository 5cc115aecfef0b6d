import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import type { Exchange } from './exchange.ts';

/** One line for each request, written at its end, with the facts of its audit entry and nothing of its headers or path. */
export function logRequests(logger: Logger, exchangeOf: (request: Request) => Exchange) {
  const facts = (request: unknown): Record<string, unknown> => {
    // The id is bound to the request's logger already.
    const { requestId: _bound, ...rest } = exchangeOf(request as Request).logLine();
    return rest;
  };
  return pinoHttp<Request, Response>({
    logger,
    quietReqLogger: true,
    customAttributeKeys: { reqId: 'requestId' },
    serializers: { req: () => undefined, res: () => undefined, err: () => undefined },
    genReqId: (request) => exchangeOf(request as Request).id,
    customLogLevel: (request) => levelOf(exchangeOf(request as Request)),
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request',
    customSuccessObject: facts,
    customErrorObject: facts,
  });
}

function levelOf(exchange: Exchange): 'info' | 'warn' | 'error' {
  if (exchange.status >= 500) return 'error';
  return exchange.reason === 'client-closed' ? 'warn' : 'info';
}
