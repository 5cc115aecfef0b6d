import type { z } from 'zod';
import type { ApiKey } from '../config/settings.ts';
import { backoffCeiling } from '../inbox/retry-schedule.ts';
import { InstantlyApiError } from './api-error.ts';
import { type ApiAnswer, type ApiRequest, callApi, type Endpoint } from './call-api.ts';
import { OPERATIONS, type OperationName } from './operations.ts';
import type { Pacer } from './pacer.ts';
import { pause } from './pause.ts';

/** One request that was made, for the audit: nothing in it comes from the answer's or the request's content. */
export interface ApiCall {
  readonly operation: OperationName;
  /** From 1; 0: it was not made. */
  readonly attempt: number;
  readonly status: number | null;
  /** `ok`, or the kind of the failure. */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** The setting that holds the key. */
  readonly setting: ApiKey['setting'];
}

export interface AccountOptions extends Endpoint {
  readonly pacer: Pacer;
  /** Once for each request, before its answer is used: where it cannot be audited, it has not been made as far as callers know. */
  readonly onCall: (call: ApiCall) => void | Promise<void>;
  /** Before the first request of each call. @throws InstantlyApiError where the key must not be used for it */
  readonly admit?: (operation: OperationName, signal: AbortSignal) => Promise<void>;
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly random?: () => number;
  /** Milliseconds for one answer, its body included. */
  readonly timeoutMs?: number;
}

/** Clocks that differ by less may be the same: an answer states whole seconds. */
const TOLD_MS = 1_500;
const ATTEMPTS = 5;
/** What asks for more is not waited for. */
const LONGEST_WAIT_MS = 60_000;
const TIMEOUT_MS = 15_000;
const BACKOFF = { backoffBaseMs: 500, backoffCapMs: 8_000 };

/** One key and what is done with it. It never leaves the closure, so who was given one account cannot act as another. */
export class ServiceAccount {
  readonly #options: AccountOptions;
  readonly #pause: NonNullable<AccountOptions['pause']>;
  #clockSkewMs: number | undefined;

  constructor(options: AccountOptions) {
    this.#options = options;
    this.#pause = options.pause ?? pause;
  }

  /** The setting that holds the key. */
  get setting(): ApiKey['setting'] {
    return this.#options.key.setting;
  }

  /** Instantly's clock minus ours by its last answer, milliseconds; `undefined`: it has not told yet. */
  get clockSkewMs(): number | undefined {
    return this.#clockSkewMs;
  }

  /** What to add to a time by our clock for one by Instantly's, milliseconds; 0 where they cannot be told apart. */
  get clockAheadMs(): number {
    const told = this.#clockSkewMs ?? 0;
    return Math.abs(told) > TOLD_MS ? told : 0;
  }

  /**
   * Calls until it succeeds or trying again makes no sense. What is not repeatable is tried again only where Instantly has
   * refused to look at it (429).
   *
   * @throws InstantlyApiError; what `signal` was aborted with
   */
  async call<Schema extends z.ZodType>(
    request: ApiRequest,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<z.output<Schema>> {
    const { repeatable } = OPERATIONS[request.operation];
    await this.#admit(request.operation, signal);
    for (let attempt = 1; ; attempt += 1) {
      let askedMs: number;
      try {
        const answer = await this.#once(request, attempt, signal);
        return this.#read(request, schema, answer);
      } catch (error) {
        if (!(error instanceof InstantlyApiError) || !error.isPassing || attempt >= ATTEMPTS) throw error;
        if (!repeatable && error.failure !== 'rate-limited') throw error;
        askedMs = error.retryAfterMs ?? 0;
        if (askedMs > LONGEST_WAIT_MS) throw error;
      }
      const random = this.#options.random ?? Math.random;
      await this.#pause(Math.max(askedMs, Math.floor(random() * backoffCeiling(attempt, BACKOFF)) + 1), signal);
    }
  }

  /** A refusal is audited like a call that failed. */
  async #admit(operation: OperationName, signal: AbortSignal): Promise<void> {
    const { admit, onCall, key } = this.#options;
    try {
      await admit?.(operation, signal);
    } catch (error) {
      if (error instanceof InstantlyApiError && error.failure === 'excess-scopes') {
        const facts = { startedAt: Date.now(), durationMs: 0, setting: key.setting };
        await onCall({ operation, attempt: 0, status: null, reason: error.failure, ...facts });
      }
      throw error;
    }
  }

  async #once(request: ApiRequest, attempt: number, signal: AbortSignal): Promise<ApiAnswer> {
    const { key, pacer, onCall, timeoutMs = TIMEOUT_MS } = this.#options;
    await pacer.turn(signal);
    const startedAt = Date.now();
    const started = performance.now();
    const tell = (status: number | null, reason: string): void | Promise<void> =>
      onCall({
        operation: request.operation,
        attempt,
        status,
        reason,
        startedAt,
        durationMs: Math.round((performance.now() - started) * 1_000) / 1_000,
        setting: key.setting,
      });
    let answer: ApiAnswer;
    try {
      answer = await callApi(this.#options, request, timeoutMs, signal);
    } catch (error) {
      await (error instanceof InstantlyApiError ? tell(error.status, error.failure) : tell(null, 'aborted'));
      throw error;
    }
    await tell(answer.status, 'ok');
    this.#clockSkewMs = answer.clockSkewMs ?? this.#clockSkewMs;
    return answer;
  }

  #read<Schema extends z.ZodType>(request: ApiRequest, schema: Schema, { status, json }: ApiAnswer): z.output<Schema> {
    const read = schema.safeParse(json);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    const field = issue?.path.map(String).join('.') ?? '';
    throw new InstantlyApiError({
      failure: 'unreadable',
      operation: request.operation,
      setting: this.setting,
      status,
      detail: field === '' ? 'it has another shape' : `the field ${field} is missing or has another type`,
    });
  }
}
