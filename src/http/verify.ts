import type { Request, RequestHandler, Response } from 'express';
import type { AuthenticDelivery, Reason, Verification } from '../authenticate/index.ts';
import { Problem } from '../errors/problem.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { requireExchange } from './exchange.ts';
import type { FailureLimit } from './limit-failures.ts';
import type { Credentials, RawBody, RawRequest } from './raw-body.ts';

/** The proven sender of a request, and the bytes that it sent. */
export interface Verified {
  readonly delivery: AuthenticDelivery;
  /** What its body is packed in; `undefined`: nothing. */
  readonly coding: RawRequest['coding'];
}

export interface Verify extends RequestHandler {
  /** @throws TypeError where the request has not passed this middleware */
  of(request: Request): Verified;
}

export interface VerifyOptions {
  readonly failures: FailureLimit;
  readonly budget: BufferBudget;
  /** The token proved the sender, and a signature beside it did not hold. */
  readonly onSignatureMismatch: (request: Request) => void;
}

/** Where a request carries its proof. Nothing outside of this file can set it. */
const VERIFIED = Symbol('verified');

declare module 'http' {
  interface IncomingMessage {
    [VERIFIED]?: Verified;
  }
}

/** Lets through those requests alone whose sender is proven by the raw bytes of the body, or by its token. */
export function createVerify(rawBody: RawBody, options: VerifyOptions): Verify {
  const verify: RequestHandler = (request, response, next) => {
    const { credentials, inspection, coding, body } = rawBody.of(request);
    const contentType = request.headers['content-type'] ?? null;
    const verification = credentials.authenticator.verify(inspection, body, contentType);
    if (!verification.authentic) return refuse(options, request, response, coding, verification.reason);
    noteProof(options, request, credentials, verification);
    request[VERIFIED] = { delivery: verification.delivery, coding };
    return next();
  };
  return Object.assign(verify, { of: verifiedOf });
}

function verifiedOf(request: Request): Verified {
  const verified = request[VERIFIED];
  if (verified === undefined) throw new TypeError('the middleware verify has to come before: no sender is proven');
  return verified;
}

async function refuse(
  { failures }: VerifyOptions,
  request: Request,
  response: Response,
  coding: RawRequest['coding'],
  reason: Reason,
): Promise<never> {
  throw coding === 'unsupported'
    ? new Problem('unsupported-encoding')
    : await failures.refuse(request, response, reason);
}

function noteProof(
  { budget, onSignatureMismatch }: VerifyOptions,
  request: Request,
  { tokenIds }: Credentials,
  { delivery, token, signatureMismatch }: Extract<Verification, { readonly authentic: true }>,
): void {
  const exchange = requireExchange(request);
  exchange.userId = delivery.principal;
  exchange.isProven = true;
  budget.know(exchange.ip);
  const tokenId = tokenIds[token - 1];
  if (tokenId !== undefined) exchange.note({ tokenId });
  if (!signatureMismatch) return;
  exchange.note({ signatureMismatch: true });
  onSignatureMismatch(request);
}
