import { hash } from 'node:crypto';
import type { Request, Response } from 'express';
import {
  type Authenticator,
  type AuthenticDelivery,
  type Coding,
  type PassedInspection,
  UnpackTimeout,
  unpack,
  type Verification,
} from '../authenticate/index.ts';
import { Problem, type ProblemCode } from '../errors/problem.ts';
import { type Interpretation, LARGE_BODY_BYTES, type ReadEvent } from '../events/interpret-body.ts';
import { typeLabel } from '../events/names.ts';
import { readCharset, type UnreadableReason } from '../events/parse-body.ts';
import { type Inbox, TOO_OLD } from '../inbox/accept.ts';
import type { AcceptResult } from '../inbox/store.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Exchange } from './exchange.ts';
import type { FailureLimit } from './limit-failures.ts';
import { readBody } from './read-body.ts';
import { readCoding } from './read-coding.ts';
import { writeAnswer } from './write-answer.ts';

/** Seconds after which it may be known whether a token was retired. */
const DOUBTFUL_RETRY_SECONDS = 30;

export interface ReceiveOptions {
  /** The one in force; a request is judged by one and the same from its headers to its body. */
  readonly authenticator: () => Authenticator;
  /** What the audit calls the token at this position. */
  readonly tokenIdAt: (position: number) => string | undefined;
  readonly inbox: Pick<Inbox, 'interpret' | 'accept' | 'quarantine' | 'isTooOld'>;
  readonly budget: BufferBudget;
  readonly bodyLimitBytes: number;
  readonly failures: FailureLimit;
  readonly onSignatureMismatch: (exchange: Exchange) => void;
  /** A proven body came in a coding that it could not be unpacked from; it is in quarantine. */
  readonly onUnusableCoding: (exchange: Exchange, reason: UnreadableReason) => void;
  readonly onAccepted: (event: ReadEvent['facts']) => void;
}

/** The way of a request, top to bottom. Each step hands its result to the next; whatever is thrown becomes the answer. */
export function createReceive(options: ReceiveOptions) {
  return async function receive(request: Request, response: Response, exchange: Exchange): Promise<void> {
    const coding = readCoding(request.headers['content-encoding']);
    const authenticator = options.authenticator();
    if (coding === 'unsupported') throw await refuseCoding(options, authenticator, request, response, exchange);
    const inspection = await inspectHeaders(options, authenticator, request, response);
    const body = await readRawBody(options, request, response, exchange, inspection);
    const verification = authenticator.verify(inspection, body, request.headers['content-type'] ?? null);
    if (!verification.authentic) throw await options.failures.refuse(request, response, verification.reason);
    const proven = noteProof(options, verification, exchange);
    const delivery = coding === undefined ? proven : await unpackBody(options, exchange, proven, coding);
    const interpreted = options.inbox.interpret(delivery.body, readCharset(delivery.contentType));
    const event = interpreted instanceof Promise ? await ending(exchange, interpreted) : interpreted;
    if (!event.ok) throw await quarantine(options, exchange, proven, event.reason, 'unreadable-body');
    exchange.note({ eventType: typeLabel(event.facts.type) });
    if (options.inbox.isTooOld(event.facts)) {
      // 200 as for any other event, or the sender would send it again and again.
      const id = await committing(exchange, options.inbox.quarantine(delivery, TOO_OLD, exchange.pendingAudit(200)));
      answer(response, exchange, { status: 'quarantined', id });
      return;
    }
    const result = await committing(exchange, options.inbox.accept(delivery, event, exchange.pendingAudit(200)));
    if (result.status === 'accepted') options.onAccepted(event.facts);
    answer(response, exchange, result);
  };
}

/** The request goes on even where its connection ends meanwhile: how it ended is known only after it. */
async function ending<Result>(exchange: Exchange, work: Promise<Result>): Promise<Result> {
  exchange.ending = true;
  try {
    return await work;
  } finally {
    exchange.ending = false;
  }
}

/** The commit carries the entry of this request: once it has succeeded there is none left to write. */
async function committing<Result>(exchange: Exchange, commit: Promise<Result>): Promise<Result> {
  const result = await ending(exchange, commit);
  exchange.audited = true;
  return result;
}

/** Keeps the bytes of a proven sender as they came. */
async function quarantine(
  { inbox }: ReceiveOptions,
  exchange: Exchange,
  delivery: AuthenticDelivery,
  reason: UnreadableReason,
  code: ProblemCode,
): Promise<Problem> {
  const problem = new Problem(code, { reason });
  await committing(exchange, inbox.quarantine(delivery, reason, exchange.pendingAudit(problem.status)));
  return problem;
}

/** Refused whoever sends it, but not lost where the sender is proven and the body is within the limit. */
async function refuseCoding(
  options: ReceiveOptions,
  authenticator: Authenticator,
  request: Request,
  response: Response,
  exchange: Exchange,
): Promise<Problem> {
  const refusal = new Problem('unsupported-encoding');
  const inspection = authenticator.inspectHeaders(request.rawHeaders);
  if (inspection.verdict === 'refused') return refusal;
  try {
    const body = await readRawBody(options, request, response, exchange, inspection);
    const verification = authenticator.verify(inspection, body, request.headers['content-type'] ?? null);
    if (!verification.authentic) return refusal;
    const delivery = noteProof(options, verification, exchange);
    await quarantine(options, exchange, delivery, 'unsupported-encoding', 'unsupported-encoding');
  } catch (error) {
    if (error instanceof Problem && error.code === 'body-too-large') return refusal;
    throw error;
  }
  options.onUnusableCoding(exchange, 'unsupported-encoding');
  return refusal;
}

async function unpackBody(
  options: ReceiveOptions,
  exchange: Exchange,
  proven: AuthenticDelivery,
  coding: Coding,
): Promise<AuthenticDelivery> {
  const { bodyLimitBytes: limitBytes, budget, inbox } = options;
  const take = (bytes: number): void => {
    if (!budget.take(exchange, bytes)) throw new Problem('overloaded', { reason: 'body-memory-full', retryAfter: 2 });
  };
  try {
    const unpacked = await ending(exchange, unpack(proven, coding, { limitBytes, take }));
    if (unpacked.ok) {
      exchange.note({ storedSha256: hash('sha256', unpacked.delivery.body, 'hex') });
      return unpacked.delivery;
    }
    // A proxy that has unpacked a body may pass its old header on.
    if (unpacked.reason === 'not-unpackable' && (await ending(exchange, readAsItIs(inbox, proven))).ok) return proven;
    const code = unpacked.reason === 'body-too-large' ? 'body-too-large' : 'unreadable-body';
    const problem = await quarantine(options, exchange, proven, unpacked.reason, code);
    options.onUnusableCoding(exchange, unpacked.reason);
    throw problem;
  } catch (error) {
    if (!(error instanceof UnpackTimeout)) throw error;
    throw new Problem('overloaded', { reason: 'unpacking-timeout', retryAfter: 2 });
  }
}

async function readAsItIs(inbox: ReceiveOptions['inbox'], { body }: AuthenticDelivery): Promise<Interpretation> {
  return inbox.interpret(body, null);
}

async function inspectHeaders(
  options: ReceiveOptions,
  authenticator: Authenticator,
  request: Request,
  response: Response,
): Promise<PassedInspection> {
  const inspection = authenticator.inspectHeaders(request.rawHeaders);
  if (inspection.verdict === 'refused' && inspection.reason === 'doubtful')
    throw new Problem('not-ready', { reason: 'doubtful', retryAfter: DOUBTFUL_RETRY_SECONDS });
  if (inspection.verdict === 'refused') throw await options.failures.refuse(request, response, inspection.reason);
  return inspection;
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

async function readRawBody(
  options: ReceiveOptions,
  request: Request,
  response: Response,
  exchange: Exchange,
  inspection: PassedInspection,
): Promise<Uint8Array> {
  const { bodyLimitBytes: limitBytes, budget } = options;
  exchange.isProven = inspection.tokenProven;
  const body = await readBody(request, {
    limitBytes,
    budget,
    proven: inspection.tokenProven,
    exchange,
    onWanted: () => {
      if (!exchange.awaitsContinue) return;
      exchange.awaitsContinue = false;
      response.writeContinue();
    },
  }).catch(async (problem: unknown) => {
    const isUnfinished = problem instanceof Problem && UNFINISHED.has(problem.code);
    if (inspection.verdict === 'pending' && isUnfinished) await options.failures.count(request, response);
    throw problem;
  });
  if (body.byteLength > LARGE_BODY_BYTES) await ending(exchange, turns.next());
  exchange.note({ bytes: body.byteLength, bodySha256: hash('sha256', body, 'hex') });
  return body;
}

function noteProof(
  options: ReceiveOptions,
  verification: Extract<Verification, { readonly authentic: true }>,
  exchange: Exchange,
): AuthenticDelivery {
  const { delivery, token, signatureMismatch } = verification;
  exchange.userId = delivery.principal;
  exchange.isProven = true;
  options.budget.know(exchange.ip);
  const tokenId = token === 0 ? undefined : options.tokenIdAt(token);
  if (tokenId !== undefined) exchange.note({ tokenId });
  if (signatureMismatch) {
    exchange.note({ signatureMismatch: true });
    options.onSignatureMismatch(exchange);
  }
  return delivery;
}

function answer(
  response: Response,
  exchange: Exchange,
  result: AcceptResult | { readonly status: 'quarantined'; readonly id: string },
): void {
  exchange.end(200, result.status);
  exchange.note(result.status === 'quarantined' ? { quarantineId: result.id } : { eventId: result.id });
  const text = `{"status":"${result.status}","id":"${result.id}"}`;
  writeAnswer(response, exchange, { status: 200, type: 'application/json; charset=utf-8', text });
}
