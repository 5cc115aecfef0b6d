/**
 * Everything that ends a request without success. One place (http/problem-answer.ts) turns it into an answer.
 * Each code has its paragraph in docs/errors.md.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** Stable; what a caller may branch on. */
  readonly code: ProblemCode;
  /** HTTP status. */
  readonly status: number;
  readonly title: string;
  /** Seconds after which trying again makes sense; `undefined` where it does not. */
  readonly retryAfter: number | undefined;
  /** For the operator's log, metric and audit entry, never for the caller; a bounded set of words. */
  readonly reason: string;

  constructor(code: ProblemCode, options: { reason?: string; retryAfter?: number; cause?: unknown } = {}) {
    const { status, title, detail } = PROBLEMS[code];
    // Where it was thrown is of no interest, and finding it out costs a refusal as much as all the rest of its answer.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.status = status;
    this.title = title;
    this.reason = options.reason ?? code;
    this.retryAfter = options.retryAfter;
  }
}

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
}

/** Every problem an answer can name. */
export const PROBLEMS = {
  'not-found': { status: 404, title: 'Not found', detail: 'Nothing is served at this path.' },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    detail: 'This path takes another method; see Allow.',
  },
  'unsupported-encoding': {
    status: 415,
    title: 'Unsupported content encoding',
    detail: 'Send the body as it is, or in gzip, br or deflate.',
  },
  unauthenticated: {
    status: 401,
    title: 'Not authenticated',
    detail: 'The credentials of this request are missing or do not prove who sent it.',
  },
  'too-many-failures': {
    status: 429,
    title: 'Too many failed authentications',
    detail: 'Too many requests from this address failed to authenticate within a minute.',
  },
  'body-too-large': { status: 413, title: 'Body too large', detail: 'The body is larger than this receiver accepts.' },
  'unreadable-body': {
    status: 400,
    title: 'Unreadable body',
    detail: 'The body is not a JSON object. Its bytes are kept for an operator to look at.',
  },
  'malformed-request': { status: 400, title: 'Malformed request', detail: 'The request is not valid HTTP.' },
  'request-timeout': { status: 408, title: 'Request timeout', detail: 'The request did not arrive whole in time.' },
  'request-given-up': {
    status: 408,
    title: 'Request given up',
    detail: 'The request came too slowly, or memory or connections ran short before it was whole; send it again.',
  },
  'headers-too-large': {
    status: 431,
    title: 'Request header fields too large',
    detail: 'The header fields are larger than this receiver accepts.',
  },
  'client-closed': {
    status: 499,
    title: 'Client closed the connection',
    detail: 'The connection ended before the request did.',
  },
  overloaded: { status: 503, title: 'Overloaded', detail: 'This receiver holds as much as it can; try again shortly.' },
  'store-unavailable': {
    status: 503,
    title: 'Store unavailable',
    detail: 'The event could not be stored, so it is not accepted; try again shortly.',
  },
  'not-ready': { status: 503, title: 'Not ready', detail: 'This process cannot do its work now.' },
  stopping: { status: 503, title: 'Stopping', detail: 'This process is stopping; try again shortly.' },
  'internal-error': { status: 500, title: 'Internal error', detail: 'The request could not be served.' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** A fault of a store that waiting does not fix. */
export interface LastingFault {
  /** Words for anyone: no name, path or address. */
  readonly what: string;
  /** The operator's next step. */
  readonly fix: string;
}

/** The store cannot commit or answer now; nothing of the call is promised, and it may be made again. */
export class StoreUnavailable extends Error {
  override readonly name: string = 'StoreUnavailable';
  /** `undefined`: an outage, which may end by itself. */
  readonly lasting: LastingFault | undefined;

  constructor(
    message: string,
    options: { readonly lasting?: LastingFault | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.lasting = options.lasting;
  }
}

/**
 * The fault lies in a row of the call and not in the store: the same call fails again, and the rest of it succeeds without
 * that row.
 */
export class RowRefused extends StoreUnavailable {
  override readonly name = 'RowRefused';
}

export function lastingOf(error: unknown): LastingFault | undefined {
  return error instanceof StoreUnavailable ? error.lasting : undefined;
}

/** A setting, a file or an environment that stops the start. Printed as plain lines; the process exits with 78 (EX_CONFIG). */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  /** One line each: what is wrong and how to mend it, never a value of a secret. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}
