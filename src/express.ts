import type { Request, RequestHandler, Response } from 'express';
import { createAuthenticator } from './authenticate/index.ts';
import { parseHeaderName } from './config/parse-http-names.ts';
import { findUnfitKeys, parseKeys } from './config/parse-keys.ts';
import type { Parsed } from './config/parsed.ts';
import type { Secret } from './config/secret.ts';
import type { AuthenticationSettings } from './config/settings.ts';
import { SCHEME_NAMES, type SignatureScheme } from './config/signature-schemes.ts';
import { Problem } from './errors/problem.ts';
import { parseBody, readCharset } from './events/parse-body.ts';
import { answerProblem, toProblem } from './http/answer-problem.ts';
import { BufferBudget } from './http/buffer-budget.ts';
import { Exchange } from './http/exchange.ts';
import { type FailureLimit, limitFailures } from './http/limit-failures.ts';
import { OpenRequests } from './http/open-requests.ts';
import { createRawBody } from './http/raw-body.ts';
import { clientAddress } from './http/read-address.ts';
import { unpackBody } from './http/unpack-body.ts';
import { createVerify, type Verified } from './http/verify.ts';

export { verifyWebhookSignature } from './authenticate/index.ts';

const MEGABYTE = 1024 * 1024;

/** Nothing is read from the environment. `token`, `secret` or both are needed. */
export interface VerifyInstantlyWebhookOptions {
  /** What a header set on the webhook repeats. Several are separated by commas or in a list, the current one first. */
  readonly token?: string | readonly string[] | undefined;
  /** Default: `x-webhook-secret`. `authorization` takes `Bearer …`, `Basic …` and the bare value. */
  readonly tokenHeader?: string | undefined;
  /** Keys of HMAC-SHA256 signatures, likewise. */
  readonly secret?: string | readonly string[] | undefined;
  /** Default: `body`, the hex of the HMAC over the raw body. */
  readonly scheme?: SignatureScheme | undefined;
  /** For `body` and `timestamped`. Default: `x-instantly-signature`. */
  readonly signatureHeader?: string | undefined;
  /** For `timestamped`. Default: `x-instantly-timestamp`. */
  readonly timestampHeader?: string | undefined;
  /** Seconds that a signed timestamp may be off, both ways. Default: 300. */
  readonly toleranceSeconds?: number | undefined;
  /** Default: `any`, where one proof is enough. `both`: signature and token. */
  readonly require?: 'any' | 'both' | undefined;
  /** Bytes of a body, packed and unpacked. Default: 10 MiB. */
  readonly bodyLimitBytes?: number | undefined;
  /** Bytes of all bodies in memory at once. Default: 64 MiB. */
  readonly maxBufferedBytes?: number | undefined;
  /** Milliseconds in which a body has to come. Default: 30,000. */
  readonly bodyTimeoutMs?: number | undefined;
  /** Failed authentications of one address in a minute before it gets 429 in place of 401. Default: no limit. */
  readonly failedAuthPerMinute?: number | undefined;
  /** Called for each request that is refused, for a log. It holds nothing of what the request sent. */
  readonly onRefused?: ((refusal: Refusal) => void) | undefined;
}

export interface Refusal {
  /** HTTP status. */
  readonly status: number;
  /** As in the answer. */
  readonly code: string;
  /** More than the answer says: `missing`, `mismatch`, `malformed`, `stale` and the like. */
  readonly reason: string;
  readonly requestId: string;
  readonly ip: string;
}

/** What is known of a request that the middleware has let through. */
export interface InstantlyWebhook {
  /** The body byte for byte as it came. */
  readonly rawBody: Uint8Array;
  /** What the body says, unpacked and parsed: always a JSON object. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** Who was proven: `instantly:token:1`, `instantly:hmac:2`, or both joined with `+`; the number is the place in the list. */
  readonly principal: string;
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `verifyInstantlyWebhook`. */
      instantly?: InstantlyWebhook;
    }
  }
}

/**
 * Lets through those requests alone whose sender is proven on the raw bytes, and sets `request.instantly`. Others it answers itself, as
 * the receiver does: 400, 401, 405, 408, 413, 415, 429 or 503 with a problem (RFC 9457).
 *
 * It reads the body itself: it has to come before `express.json()` and any other body parser. Where the body has been read
 * already it hands a TypeError to the error handler of the application, even for a proven sender.
 *
 * @throws TypeError where an option cannot be used, which names all of them
 */
export function verifyInstantlyWebhook(options: VerifyInstantlyWebhookOptions): RequestHandler {
  const { bodyLimitBytes = 10 * MEGABYTE, maxBufferedBytes = 64 * MEGABYTE, bodyTimeoutMs = 30_000 } = options;
  const authentication = readAuthentication(options);
  const authenticator = createAuthenticator(authentication);
  const failures = options.failedAuthPerMinute === undefined ? NO_LIMIT : limitFailures(options.failedAuthPerMinute);
  const open = new OpenRequests();
  const budget = new BufferBudget({ maxBufferedBytes, bodyLimitBytes }, authentication.tokens.length > 0, open);
  const credentials = { authenticator, tokenIds: [] };
  const rawBody = createRawBody({ credentials: () => credentials, budget, bodyLimitBytes, failures });
  const verify = createVerify(rawBody, { failures, budget, onSignatureMismatch: () => undefined });

  const begin = (request: Request, response: Response): Exchange => {
    const exchange = new Exchange(request, clientAddress(request));
    exchange.attachTo(request);
    const place = open.add(exchange, response);
    const timer = setTimeout(() => exchange.interruption.happen(new Problem('request-timeout')), bodyTimeoutMs).unref();
    response.once('close', () => {
      clearTimeout(timer);
      open.remove(place);
      budget.release(exchange);
    });
    return exchange;
  };

  return async function verifyInstantly(request, response, next) {
    if (request.readableDidRead || request.readableEnded) return next(new TypeError(ALREADY_READ));
    const exchange = begin(request, response);
    try {
      if (request.method !== 'POST') throw refuseMethod(response);
      await rawBody(request, response, () => undefined);
      await verify(request, response, () => undefined);
      request.instantly = await readPayload(exchange, verify.of(request), { budget, bodyLimitBytes });
    } catch (error) {
      budget.release(exchange);
      const problem = toProblem(error);
      if (problem.code === 'internal-error') return next(error);
      if (!response.headersSent) response.setHeader('x-request-id', exchange.id);
      answerProblem(request, response, exchange, problem, { bodyLimitBytes });
      const { id: requestId, ip, status, code, reason } = exchange;
      options.onRefused?.({ status, code, reason, requestId, ip });
      return;
    }
    // Not inside of try: what the handlers behind it throw is theirs.
    next();
  };
}

const ALREADY_READ =
  'verifyInstantlyWebhook found the body of the request already read, and a signature covers its bytes as they came: mount it before express.json() and every other body parser, or keep those away from its path.';

const NO_LIMIT: FailureLimit = {
  refuse: async (_request, _response, reason) => new Problem('unauthenticated', { reason }),
  count: async () => undefined,
};

function refuseMethod(response: Response): Problem {
  response.setHeader('Allow', 'POST');
  return new Problem('method-not-allowed');
}

async function readPayload(
  exchange: Exchange,
  { delivery, coding }: Verified,
  limits: { readonly budget: BufferBudget; readonly bodyLimitBytes: number },
): Promise<InstantlyWebhook> {
  if (coding === 'unsupported') throw new Problem('unsupported-encoding');
  const { body: rawBody, principal, contentType } = delivery;
  const unpacked = coding && (await unpackBody(exchange, delivery, coding, limits));
  if (unpacked?.ok === false && unpacked.reason === 'body-too-large') throw new Problem('body-too-large');
  // Where it cannot be unpacked, a proxy may have done it and passed the old header on.
  const body = unpacked?.ok === true ? unpacked.delivery.body : rawBody;
  const parsed = parseBody(body, readCharset(contentType));
  if (!parsed.ok) throw new Problem('unreadable-body', { reason: parsed.reason });
  return { rawBody, payload: parsed.payload, principal };
}

function readAuthentication(options: VerifyInstantlyWebhookOptions): AuthenticationSettings {
  const { scheme = 'body', toleranceSeconds = 300, require = 'any' } = options;
  const faults: string[] = [];
  const check = <T>(name: string, parsed: Parsed<T>, otherwise: T): T => {
    if ('value' in parsed) return parsed.value;
    faults.push(...parsed.faults.map((fault) => `${name} ${fault}`));
    return otherwise;
  };
  const keys = (name: string, given: string | readonly string[] | undefined): readonly Secret[] => {
    const text = typeof given === 'string' || given === undefined ? given : given.join(',');
    return text === undefined || text === '' ? [] : check(name, parseKeys(text), []);
  };
  const header = (name: string, given: string): string => check(name, parseHeaderName(given), given);
  const settings: AuthenticationSettings = {
    signatureKeys: keys('secret', options.secret),
    signatureScheme: scheme,
    signatureHeader: header('signatureHeader', options.signatureHeader ?? 'x-instantly-signature'),
    timestampHeader: header('timestampHeader', options.timestampHeader ?? 'x-instantly-timestamp'),
    toleranceSeconds,
    tokens: keys('token', options.token),
    tokenHeader: header('tokenHeader', options.tokenHeader ?? 'x-webhook-secret'),
    require,
  };
  const { signatureKeys, tokens } = settings;
  if (!SCHEME_NAMES.includes(scheme)) faults.push(`scheme must be one of ${SCHEME_NAMES.join(', ')}`);
  else faults.push(...findUnfitKeys(signatureKeys, scheme).map((fault) => `secret ${fault}`));
  if (!(toleranceSeconds >= 1)) faults.push('toleranceSeconds must be a number of seconds, at least 1');
  const isUnset = signatureKeys.length === 0 && tokens.length === 0;
  if (isUnset && faults.length === 0) faults.push('token or secret must be set: without one no sender can be proven');
  const needsBoth = require === 'both' && (signatureKeys.length === 0 || tokens.length === 0);
  if (needsBoth && faults.length === 0) faults.push("require: 'both' needs token and secret");
  if (faults.length > 0) throw new TypeError(`verifyInstantlyWebhook: ${faults.join('; ')}`);
  return settings;
}
