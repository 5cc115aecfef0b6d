import type { ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import { Problem, type ProblemCode } from '../errors/problem.ts';
import type { Exchange } from './exchange.ts';
import { writeAnswer } from './write-answer.ts';

/** RFC 9457. `instance` names the request and is the one member in which two like refusals differ. */
function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  return {
    type: `urn:instantly-webhook-receiver:problem:${problem.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.message,
    instance: `urn:instantly-webhook-receiver:request:${requestId}`,
    code: problem.code,
  };
}

/** What nobody foresaw becomes a 500 that says nothing of itself; the log has the rest. */
export function toProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('internal-error', { cause: error });
}

export function answerProblem(
  request: Request,
  response: Response,
  exchange: Exchange,
  problem: Problem,
  { bodyLimitBytes, extra = {} }: { readonly bodyLimitBytes: number; readonly extra?: object },
): void {
  exchange.fail(problem);
  if (problem.code === 'client-closed' || response.headersSent) {
    response.destroy();
    return;
  }
  if (!request.complete) discardRest(request, response, Math.max(MIN_DISCARDED_BYTES, 2 * bodyLimitBytes));
  writeProblem(response, exchange, problem, extra);
}

export function writeProblem(response: ServerResponse, { id }: Exchange, problem: Problem, extra: object = {}): void {
  if (problem.retryAfter !== undefined) response.setHeader('Retry-After', problem.retryAfter);
  if (ENDING.has(problem.code)) response.setHeader('Connection', 'close');
  const text = JSON.stringify({ ...problemBody(problem, id), ...extra });
  writeAnswer(response, { status: problem.status, type: 'application/problem+json; charset=utf-8', text });
}

/** After these nobody can tell where the next request on the connection begins. */
const ENDING: ReadonlySet<ProblemCode> = new Set([
  'request-timeout',
  'request-given-up',
  'malformed-request',
  'headers-too-large',
]);

/** A refused body is read on for a while, so that a sender which writes all before it reads comes to see the answer: up to
 * twice the limit, so that one a little too large does, and this much at least. Then the line is cut. */
const MIN_DISCARDED_BYTES = 1024 * 1024;
const MAX_DISCARDING_MS = 5_000;

function discardRest(request: Request, response: Response, maxBytes: number): void {
  let discarded = 0;
  const cut = (): void => {
    request.socket.destroy();
  };
  const timer = setTimeout(cut, MAX_DISCARDING_MS).unref();
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.byteLength;
    if (discarded > maxBytes && response.writableFinished) cut();
  });
  request.once('close', () => clearTimeout(timer));
  // The body reader listened for errors until now; what goes wrong from here on concerns nobody.
  request.on('error', () => clearTimeout(timer));
}
