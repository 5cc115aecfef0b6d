import { setTimeout as pause } from 'node:timers/promises';
import type { Request, Response } from 'express';
import type { Registry } from 'prom-client';
import type { ReadToken } from '../authenticate/index.ts';
import type { Networks } from '../config/parse-networks.ts';
import { Problem } from '../errors/problem.ts';
import { requireExchange } from './exchange.ts';
import type { FailureLimit } from './limit-failures.ts';
import { plainAddress } from './read-address.ts';
import type { Readiness } from './readiness.ts';

export function createHealth() {
  return function health(request: Request, response: Response): void {
    requireExchange(request).end(200, 'ok');
    response.status(200).json({ status: 'ok' });
  };
}

/** How Instantly has us in its books, as of the last look. It keeps nobody from being ready: deliveries that come are taken. */
export interface Registration {
  readonly status: 'active' | 'disabled' | 'refused' | 'missing' | 'unknown';
  /** Why deliveries are refused, and the command that fixes it. */
  readonly reason?: string;
  /** ISO 8601; `null`: not looked at yet. */
  readonly checkedAt: string | null;
}

/** @param registration gives `undefined` where nobody looks */
export function createReady(readiness: Readiness, registration: () => Registration | undefined) {
  return async function ready(request: Request, response: Response): Promise<void> {
    const { faults, degraded, details } = await readiness.look();
    if (faults.length > 0) throw new NotReady(faults);
    requireExchange(request).end(200, degraded === null ? 'ok' : 'degraded');
    const status = degraded === null ? { status: 'ok' } : { status: 'degraded', reason: degraded };
    response.status(200).json({ ...status, registration: registration(), ...details });
  };
}

/** Carries the list into the answer. */
export class NotReady extends Problem {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super('not-ready');
    this.faults = faults;
  }
}

export interface MetricsOptions {
  readonly prometheus: Registry;
  readonly openMetrics: { readonly contentType: string; metrics(): Promise<string> };
  /** Gives what tells the position of the token that a request proves, or a word for why it proves none; `undefined`: no
   * token is set now. */
  readonly readToken: () => ReadToken | undefined;
  /** Whom it answers while there is no token. */
  readonly allow: Networks;
  readonly failures: FailureLimit;
}

export function createMetricsRoute(options: MetricsOptions) {
  const { prometheus, openMetrics, failures } = options;
  const asText = shareText(prometheus);
  const asOpenMetrics = shareText(openMetrics);
  return async function metrics(request: Request, response: Response): Promise<void> {
    const exchange = requireExchange(request);
    const readToken = options.readToken();
    if (readToken !== undefined) {
      const token = readToken(request.rawHeaders);
      if (typeof token === 'string') {
        response.setHeader('WWW-Authenticate', 'Bearer');
        throw await failures.refuse(request, response, token);
      }
      exchange.userId = 'metrics';
      exchange.isProven = true;
    } else if (!isAllowed(request, options.allow)) throw await failures.refuse(request, response, 'not-allowed');
    const wantsOpenMetrics = request.headers.accept?.includes('application/openmetrics-text') === true;
    const text = await (wantsOpenMetrics ? asOpenMetrics() : asText());
    exchange.end(200, 'ok');
    const { contentType } = wantsOpenMetrics ? openMetrics : prometheus;
    // Not send(): it would add a second charset to the type.
    response.status(200).setHeader('Content-Type', contentType).end(text);
  };
}

/** Fields by which proxies name their client. */
const PASSED_ON = ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip'];

/** A proxy that TRUST_PROXY does not count hides who asks: what it passes on would all seem to come from its own address. */
function isAllowed(request: Request, allow: Networks): boolean {
  const isPassedOn = PASSED_ON.some((name) => request.headers[name] !== undefined);
  if (isPassedOn && request.app.get('trust proxy') === 0) return false;
  // Where a believed proxy names no address ("unknown", "unix:"), its own is not that of the one who asks.
  return allow.has(plainAddress(request.ip) ?? '');
}

/** A scrape takes a quarter of the time at the most, and waits for no longer than this for its turn, in milliseconds. */
const REST_FOR_EACH = 3;
const MAX_REST_MS = 250;

/** Scrapes that come while one is being written get its text: each takes milliseconds of the one thread, and where no token
 * is set strangers may ask for it as often as they like. */
function shareText(registry: { metrics(): Promise<string> }): () => Promise<string> {
  let underWay: Promise<string> | undefined;
  let restUntil = 0;
  const write = async (): Promise<string> => {
    const rest = restUntil - performance.now();
    if (rest > 0) await pause(rest);
    const began = performance.now();
    try {
      return await registry.metrics();
    } finally {
      underWay = undefined;
      const now = performance.now();
      restUntil = now + Math.min(REST_FOR_EACH * (now - began), MAX_REST_MS);
    }
  };
  return () => {
    underWay ??= write();
    return underWay;
  };
}
