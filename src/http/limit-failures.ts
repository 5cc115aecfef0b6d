import type { Request, Response } from 'express';
import { type ClientRateLimitInfo, ipKeyGenerator, rateLimit, type Store } from 'express-rate-limit';
import type { Reason } from '../authenticate/index.ts';
import { Problem } from '../errors/problem.ts';
import { exchangeOf } from './exchange.ts';

const WINDOW_MS = 60_000;
/** The block that one customer is commonly given. */
const IPV6_BITS = 56;
/** Addresses remembered at once; the one seen first is forgotten for a new one. */
const MAX_ADDRESSES = 20_000;

export interface FailureLimit {
  /** Counts a failed authentication against its address: 401, or 429 once it has failed too often. Called for failing
   * requests only, so that an address shared with an attacker never keeps an authentic sender out. */
  refuse(request: Request, response: Response, reason: Reason | 'not-allowed'): Promise<Problem>;
  /** Counts a request whose body was to prove its sender and never became whole. */
  count(request: Request, response: Response): Promise<void>;
}

/** IPv6 is counted by its /56; IPv4-mapped addresses, however written, as the IPv4 they are. */
export function limitFailures(perMinute: number): FailureLimit {
  const limiter = rateLimit({
    windowMs: WINDOW_MS,
    limit: perMinute,
    keyGenerator: (request) => ipKeyGenerator(exchangeOf(request)?.ip ?? '', IPV6_BITS),
    standardHeaders: false,
    legacyHeaders: false,
    store: new BoundedStore(),
    // Its checks print on the console what a stranger's headers hold.
    validate: false,
    // Not an Error, whose stack would cost a flood more than all else that is done here.
    handler: (request, _response, next) => next(secondsLeft(request)),
  });
  const count = (request: Request, response: Response): Promise<unknown> =>
    new Promise((resolve) => void limiter(request, response, resolve));
  return {
    refuse: async (request, response, reason) => {
      const passed = await count(request, response);
      if (typeof passed !== 'number') return new Problem('unauthenticated', { reason });
      return new Problem('too-many-failures', { reason, retryAfter: passed });
    },
    count: async (request, response) => {
      await count(request, response);
    },
  };
}

function secondsLeft(request: Request & { rateLimit?: { resetTime?: Date | undefined } }): number {
  const resetTime = request.rateLimit?.resetTime?.getTime() ?? Date.now() + WINDOW_MS;
  return Math.max(1, Math.ceil((resetTime - Date.now()) / 1_000));
}

interface Count {
  hits: number;
  readonly resetAt: number;
}

/** express-rate-limit's own store grows with the number of addresses; this one has an end. */
class BoundedStore implements Store {
  readonly localKeys = true;
  readonly #counts = new Map<string, Count>();

  increment(key: string): ClientRateLimitInfo {
    const now = Date.now();
    let count = this.#counts.get(key);
    if (count === undefined || count.resetAt <= now || count.resetAt > now + WINDOW_MS) {
      this.#counts.delete(key);
      this.#makeRoom();
      count = { hits: 0, resetAt: now + WINDOW_MS };
      this.#counts.set(key, count);
    }
    count.hits += 1;
    return { totalHits: count.hits, resetTime: new Date(count.resetAt) };
  }

  decrement(key: string): void {
    const count = this.#counts.get(key);
    if (count !== undefined && count.hits > 0) count.hits -= 1;
  }

  resetKey(key: string): void {
    this.#counts.delete(key);
  }

  #makeRoom(): void {
    const [oldest] = this.#counts.keys();
    if (oldest !== undefined && this.#counts.size >= MAX_ADDRESSES) this.#counts.delete(oldest);
  }
}
