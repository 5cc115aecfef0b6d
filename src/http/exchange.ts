import type { IncomingMessage } from 'node:http';
import type { AuditDraft, AuditMetadata, AuditValue } from '../audit/entry.ts';
import { newId } from '../audit/new-id.ts';
import type { Problem, ProblemCode } from '../errors/problem.ts';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import type { PendingAudit } from '../inbox/store.ts';
import type { PendingBody } from './buffer-budget.ts';
import { Interruption } from './interruption.ts';
import { requestId } from './request-id.ts';

/** What a request came for: its audit action and its route, never its raw path. */
export interface Route {
  readonly action: string;
  readonly resource: string;
}

/** Where a request carries its exchange. */
const EXCHANGE = Symbol('exchange');

declare module 'http' {
  interface IncomingMessage {
    [EXCHANGE]?: Exchange;
  }
}

/** `undefined`: the request has not reached the application. */
export function exchangeOf(request: IncomingMessage): Exchange | undefined {
  return request[EXCHANGE];
}

/** @throws TypeError where no middleware has attached one */
export function requireExchange(request: IncomingMessage): Exchange {
  const exchange = request[EXCHANGE];
  if (exchange === undefined) throw new TypeError('a request reached its route without an exchange');
  return exchange;
}

/** Of a request that came for nothing that is served. */
export const NO_ROUTE: Route = { action: 'request.refuse', resource: 'other' };

/** One request, from its first byte to the end of its answer: what is known of it, written once at the end. */
export class Exchange {
  readonly id: string;
  readonly startedAt = monotonicMilliseconds();
  readonly method: string;
  readonly ip: string;
  route: Route = NO_ROUTE;
  userId = 'anonymous';
  /** Whether a token or a signature has proved the sender. */
  isProven = false;
  /** 0 until it is known. */
  status = 0;
  reason = '';
  /** The code of the problem it ended with. */
  code: ProblemCode | '' = '';
  /** What nobody foresaw, where it was answered 500. */
  failure: unknown;
  /** Whether the entry of this request was committed with its event. */
  audited = false;
  #isEnding = false;
  /** Its connection ends with its answer, and nothing that follows on it is taken. */
  isLast = false;
  /** Its sender may leave its body away until it is told to go on, so that it is not known where the next request begins. */
  awaitsContinue = false;
  /** Among the open requests. */
  place = -1;
  /** Bytes taken from the memory for bodies. */
  bufferedBytes = 0;
  /** Its body, while it arrives and the sender is unproven. */
  pending: PendingBody | undefined;
  readonly #arrivedAt = new Date().toISOString();
  readonly #facts: Record<string, AuditValue> = {};
  #onKnown: (() => void) | undefined;
  /** Ends it before its body is whole. */
  readonly interruption = new Interruption();

  constructor(request: Pick<IncomingMessage, 'method' | 'headers'>, ip: string) {
    this.id = requestId(request.headers['x-request-id']);
    this.method = request.method ?? '';
    this.ip = ip;
  }

  /** From now on `exchangeOf` finds it. */
  attachTo(request: IncomingMessage): void {
    request[EXCHANGE] = this;
  }

  /** Adds to what the log line and the entry say. Never a secret, a body, an address of a lead or a custom label. */
  note(facts: Record<string, AuditValue>): void {
    Object.assign(this.#facts, facts);
  }

  /** Its body is being unpacked or read, or a commit with its entry is under way, and that goes on though its connection ends. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Awaits such work. */
  async ending<Result>(work: Promise<Result>): Promise<Result> {
    this.#isEnding = true;
    try {
      return await work;
    } finally {
      this.#isEnding = false;
    }
  }

  /** Everything else that is known of it has to be noted before. */
  end(status: number, reason: string): void {
    this.status = status;
    this.reason = reason;
    const onKnown = this.#onKnown;
    this.#onKnown = undefined;
    onKnown?.();
  }

  fail(problem: Problem): void {
    this.code = problem.code;
    this.end(problem.status, problem.reason);
  }

  /** The connection ended during the work or the commit: how the request ended is known only after it, and `act` is called then. */
  whenKnown(act: () => void): void {
    this.#onKnown = act;
  }

  get durationMs(): number {
    return Math.round((monotonicMilliseconds() - this.startedAt) * 1_000) / 1_000;
  }

  /** For the commit, which adds `reason`, `durationMs` and the event's id. */
  pendingAudit(status: number): PendingAudit {
    const metadata: AuditMetadata = { requestId: this.id, ip: this.ip, method: this.method, status, ...this.#facts };
    return { draft: this.#draft(status < 400 ? 'success' : 'failure', metadata), startedAt: this.startedAt };
  }

  /** The entry of a request that committed nothing. */
  audit(): AuditDraft {
    return this.#draft(this.status < 400 ? 'success' : 'failure', this.#metadata());
  }

  /** The one log line of this request. */
  logLine(): Record<string, AuditValue> {
    const { action, resource } = this.route;
    return { action, resource, userId: this.userId, ...this.#metadata() };
  }

  #metadata(): Record<string, AuditValue> {
    return {
      requestId: this.id,
      ip: this.ip,
      method: METHODS.has(this.method) ? this.method : 'other',
      status: this.status,
      reason: this.reason,
      durationMs: this.durationMs,
      ...this.#facts,
    };
  }

  #draft(result: AuditDraft['result'], metadata: AuditMetadata): AuditDraft {
    const { action, resource } = this.route;
    return { id: newId(), timestamp: this.#arrivedAt, action, userId: this.userId, resource, result, metadata };
  }
}

/** Node lets through a few dozen method names; the entry needs no more than these. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
]);
