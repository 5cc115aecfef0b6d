import { hash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import type { AuthenticDelivery, Coding } from '../authenticate/index.ts';
import { Problem, type ProblemCode } from '../errors/problem.ts';
import type { Interpretation, ReadEvent } from '../events/interpret-body.ts';
import { typeLabel } from '../events/names.ts';
import { readCharset, type UnreadableReason } from '../events/parse-body.ts';
import { type Inbox, TOO_OLD } from '../inbox/accept.ts';
import type { AcceptResult } from '../inbox/store.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { type Exchange, requireExchange } from './exchange.ts';
import { unpackBody } from './unpack-body.ts';
import type { Verify } from './verify.ts';
import { writeAnswer } from './write-answer.ts';

export type Receive = RequestHandler;

export interface ReceiveOptions {
  readonly inbox: Pick<Inbox, 'interpret' | 'accept' | 'quarantine' | 'isTooOld'>;
  readonly budget: BufferBudget;
  readonly bodyLimitBytes: number;
  /** A proven body came in a coding that it could not be unpacked from; it is in quarantine. */
  readonly onUnusableCoding: (request: Request, reason: UnreadableReason) => void;
  readonly onAccepted: (event: ReadEvent['facts']) => void;
}

/**
 * Stores what a proven sender sent, and answers once it is stored.
 *
 * @param verify has to come before it: nothing else says that a sender is proven
 */
export function createReceive(verify: Verify, options: ReceiveOptions): Receive {
  return async function receive(request: Request, response: Response): Promise<void> {
    const { delivery, coding } = verify.of(request);
    const exchange = requireExchange(request);
    const result =
      coding === 'unsupported'
        ? await refuseCoding(options, request, delivery)
        : await store(options, request, delivery, coding);
    // Not at the end of the answer, which a client can put off by not reading it. After a failure, what answers that does it.
    options.budget.release(exchange);
    answer(response, exchange, result);
  };
}

type Result = AcceptResult | { readonly status: 'quarantined'; readonly id: string };

/** Each step hands its result to the next; whatever is thrown becomes the answer. */
async function store(
  options: ReceiveOptions,
  request: Request,
  proven: AuthenticDelivery,
  coding: Coding | undefined,
): Promise<Result> {
  const { inbox } = options;
  const exchange = requireExchange(request);
  const delivery = coding === undefined ? proven : await unpackOrKeep(options, request, proven, coding);
  const interpreted = inbox.interpret(delivery.body, readCharset(delivery.contentType));
  const event = interpreted instanceof Promise ? await exchange.ending(interpreted) : interpreted;
  if (!event.ok) throw await quarantine(options, exchange, proven, event.reason, 'unreadable-body');
  exchange.note({ eventType: typeLabel(event.facts.type) });
  if (inbox.isTooOld(event.facts)) {
    // 200 as for any other event, or the sender would send it again and again.
    const id = await committing(exchange, inbox.quarantine(delivery, TOO_OLD, exchange.pendingAudit(200)));
    return { status: 'quarantined', id };
  }
  const result = await committing(exchange, inbox.accept(delivery, event, exchange.pendingAudit(200)));
  if (result.status === 'accepted') options.onAccepted(event.facts);
  return result;
}

/** The commit carries the entry of this request: once it has succeeded there is none left to write. */
async function committing<Result>(exchange: Exchange, commit: Promise<Result>): Promise<Result> {
  const result = await exchange.ending(commit);
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

/** Refused whoever sends it, but not lost where the sender is proven. */
async function refuseCoding(options: ReceiveOptions, request: Request, delivery: AuthenticDelivery): Promise<never> {
  const reason = 'unsupported-encoding';
  await quarantine(options, requireExchange(request), delivery, reason, reason);
  options.onUnusableCoding(request, reason);
  throw new Problem(reason);
}

async function unpackOrKeep(
  options: ReceiveOptions,
  request: Request,
  proven: AuthenticDelivery,
  coding: Coding,
): Promise<AuthenticDelivery> {
  const exchange = requireExchange(request);
  const unpacked = await unpackBody(exchange, proven, coding, options);
  if (unpacked.ok) {
    exchange.note({ storedSha256: hash('sha256', unpacked.delivery.body, 'hex') });
    return unpacked.delivery;
  }
  // A proxy that has unpacked a body may pass its old header on.
  const { reason } = unpacked;
  if (reason === 'not-unpackable' && (await exchange.ending(readAsItIs(options.inbox, proven))).ok) return proven;
  const code = reason === 'body-too-large' ? 'body-too-large' : 'unreadable-body';
  const problem = await quarantine(options, exchange, proven, reason, code);
  options.onUnusableCoding(request, reason);
  throw problem;
}

async function readAsItIs(inbox: ReceiveOptions['inbox'], { body }: AuthenticDelivery): Promise<Interpretation> {
  return inbox.interpret(body, null);
}

function answer(response: Response, exchange: Exchange, result: Result): void {
  exchange.note(result.status === 'quarantined' ? { quarantineId: result.id } : { eventId: result.id });
  exchange.end(200, result.status);
  const text = `{"status":"${result.status}","id":"${result.id}"}`;
  writeAnswer(response, { status: 200, type: 'application/json; charset=utf-8', text });
}
