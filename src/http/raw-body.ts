import { hash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import type { Authenticator, Coding, PassedInspection, Reason } from '../authenticate/index.ts';
import { Problem, type ProblemCode } from '../errors/problem.ts';
import { LARGE_BODY_BYTES } from '../events/interpret-body.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { type Exchange, requireExchange } from './exchange.ts';
import type { FailureLimit } from './limit-failures.ts';
import { readBody } from './read-body.ts';
import { readCoding } from './read-coding.ts';

/** Seconds after which it may be known whether a token was retired. */
const DOUBTFUL_RETRY_SECONDS = 30;

/** What requests are proven by. A request keeps one and the same from its headers to its body, whatever is reloaded meanwhile. */
export interface Credentials {
  readonly authenticator: Authenticator;
  /** What the audit calls the tokens, by position, the first at 0. */
  readonly tokenIds: readonly string[];
}

/** A body whose headers spoke for it, byte for byte as it came. Its sender is not proven yet. */
export interface RawRequest {
  readonly credentials: Credentials;
  readonly inspection: PassedInspection;
  /** What it is packed in; `undefined`: nothing. */
  readonly coding: Coding | 'unsupported' | undefined;
  readonly body: Uint8Array;
}

export interface RawBody extends RequestHandler {
  /** @throws TypeError where the request has not passed this middleware */
  of(request: Request): RawRequest;
}

export interface RawBodyOptions {
  /** Those in force. */
  readonly credentials: () => Credentials;
  /** The memory is given back by what answers. */
  readonly budget: BufferBudget;
  readonly bodyLimitBytes: number;
  readonly failures: FailureLimit;
}

/** Where a request carries its raw body. */
const RAW = Symbol('raw body');

declare module 'http' {
  interface IncomingMessage {
    [RAW]?: RawRequest;
  }
}

/** Reads the body of a request that nothing in its headers speaks against, before anything else can parse or change it. */
export function createRawBody(options: RawBodyOptions): RawBody {
  const rawBody: RequestHandler = async (request, response, next) => {
    const exchange = requireExchange(request);
    const coding = readCoding(request.headers['content-encoding']);
    const credentials = options.credentials();
    const inspection = credentials.authenticator.inspectHeaders(request.rawHeaders);
    if (inspection.verdict === 'refused') {
      throw coding === 'unsupported'
        ? new Problem('unsupported-encoding')
        : await refuse(options, request, response, inspection.reason);
    }
    exchange.isProven = inspection.tokenProven;
    const body = await read(options, request, response, exchange, inspection).catch((problem: unknown) => {
      // Of the two faults the one that a smaller body would have too.
      const isTooLarge = problem instanceof Problem && problem.code === 'body-too-large';
      throw coding === 'unsupported' && isTooLarge ? new Problem('unsupported-encoding') : problem;
    });
    request[RAW] = { credentials, inspection, coding, body };
    next();
  };
  return Object.assign(rawBody, { of: rawRequestOf });
}

function rawRequestOf(request: Request): RawRequest {
  const raw = request[RAW];
  if (raw === undefined) throw new TypeError('the middleware rawBody has to come before: no raw body was read');
  return raw;
}

async function refuse(
  { failures }: RawBodyOptions,
  request: Request,
  response: Response,
  reason: Reason,
): Promise<Problem> {
  if (reason === 'doubtful') return new Problem('not-ready', { reason, retryAfter: DOUBTFUL_RETRY_SECONDS });
  return failures.refuse(request, response, reason);
}

/** Large bodies are hashed one in each turn of the event loop: 10 MB take 20 ms, and several may be complete at once. */
const turns = {
  last: Promise.resolve(),
  next(): Promise<void> {
    this.last = this.last.then(() => new Promise((resolve) => setImmediate(resolve)));
    return this.last;
  },
};

/** Ways in which a body that was to prove its sender ends before it is whole, for no fault of this receiver. */
const UNFINISHED: ReadonlySet<ProblemCode> = new Set([
  'request-given-up',
  'body-too-large',
  'client-closed',
  'malformed-request',
  'request-timeout',
]);

async function read(
  { bodyLimitBytes: limitBytes, budget, failures }: RawBodyOptions,
  request: Request,
  response: Response,
  exchange: Exchange,
  inspection: PassedInspection,
): Promise<Uint8Array> {
  const onWanted = (): void => {
    if (!exchange.awaitsContinue) return;
    exchange.awaitsContinue = false;
    response.writeContinue();
  };
  const proven = inspection.tokenProven;
  const body = await readBody(request, { limitBytes, budget, proven, exchange, onWanted }).catch(
    async (problem: unknown) => {
      const isUnfinished = problem instanceof Problem && UNFINISHED.has(problem.code);
      if (inspection.verdict === 'pending' && isUnfinished) await failures.count(request, response);
      throw problem;
    },
  );
  if (body.byteLength > LARGE_BODY_BYTES) await exchange.ending(turns.next());
  exchange.note({ bytes: body.byteLength, bodySha256: hash('sha256', body, 'hex') });
  return body;
}
