import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import type { Options } from 'pino-http';
import type { AuditDraft } from '../audit/entry.ts';
import { type Exchange, requireExchange } from './exchange.ts';

/** `request.log` is bound to the id of its request, and to nothing else of it. Its line is written by `logRequest`: how a request
 * ended may be known only after its connection has, and strangers' lines share a budget. */
export function requestLog(logger: Logger): Options<Request, Response> {
  return {
    logger,
    autoLogging: false,
    genReqId: (request) => requireExchange(request).id,
    // What pino-http binds is the request itself: by its id, and in one step, since each step costs a request several µs.
    customAttributeKeys: { req: 'requestId' },
    wrapSerializers: false,
    // Those of a request and of an answer would show headers and the path.
    serializers: { requestId: idOf, req: () => undefined, res: () => undefined },
  };
}

function idOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'id' in value ? value.id : value;
}

/** The one line of a request, with the facts of its audit entry and nothing of its headers or path. */
export function logRequest(logger: Logger, exchange: Exchange): void {
  logFailure(logger, exchange);
  logger[levelOf(exchange)](exchange.logLine(), 'request');
}

/** Why a request was answered 500. Of a stranger's no more than a line has place for, since it may quote the request. */
function logFailure(logger: Logger, { id, isProven, failure }: Exchange): void {
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
