import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import { pinoHttp } from 'pino-http';
import type { AuditDraft } from '../audit/entry.ts';
import type { Exchange } from './exchange.ts';

/** One line for each request, written at its end, with the facts of its audit entry and nothing of its headers or path.
 * Those of deferred exchanges and of strangers, whose lines share a budget, are left to the code that ends them. */
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
      return exchange.deferred || !exchange.isProven ? 'silent' : levelOf(exchange);
    },
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request',
    customSuccessObject: facts,
    customErrorObject: facts,
  });
}

/** The line of a stranger's request, or of one whose client went away under its commit. */
export function logRequest(logger: Logger, exchange: Exchange): void {
  if (!exchange.isProven) logFailure(logger, exchange);
  logger[levelOf(exchange)](exchange.logLine(), 'request');
}

/** Why a request was answered 500. Of a stranger's no more than a line has place for, since it may quote the request. */
export function logFailure(logger: Logger, { id, isProven, failure }: Exchange): void {
  if (failure === undefined) return;
  const err = isProven || !(failure instanceof Error) ? failure : String(failure.stack).slice(0, MAX_STACK_LENGTH);
  logger.error({ requestId: id, err }, 'a request could not be served');
}

const MAX_STACK_LENGTH = 800;

/** One line for many requests of strangers, with the facts of their common entry. */
export function logCounted(logger: Logger, { action, resource, userId, metadata }: AuditDraft): void {
  const { status, reason } = metadata;
  const level = levelOf({ status: Number(status), reason: String(reason) });
  logger[level]({ action, resource, userId, ...metadata }, 'requests');
}

function levelOf({ status, reason }: Pick<Exchange, 'status' | 'reason'>): 'info' | 'warn' | 'error' {
  if (status >= 500) return 'error';
  return reason === 'client-closed' ? 'warn' : 'info';
}
