import { USER_AGENT } from '../config/product.ts';
import { OPERATIONS, type OperationName } from './operations.ts';

export type ApiFailure =
  | 'refused' // 400
  | 'unauthorized' // 401
  | 'plan' // 402
  | 'scope' // 403 of the API
  | 'excess-scopes' // not called: INSTANTLY_SCOPES=strict
  | 'blocked' // 403 of the edge in front of it
  | 'not-found' // 404
  | 'rate-limited' // 429
  | 'server' // 5xx, and any other status that nobody has published
  | 'timeout'
  | 'unreachable'
  | 'too-large'
  | 'unreadable'; // neither JSON nor of the published shape

export interface ApiErrorFields {
  readonly failure: ApiFailure;
  readonly operation: OperationName;
  /** The setting that holds the key in use. */
  readonly setting: string;
  /** HTTP status; `null`: there was no answer. */
  readonly status: number | null;
  /** What is known beyond the kind: a field's name, a system's code. Never a value. */
  readonly detail?: string | undefined;
  /** The proxy that was called through. */
  readonly via?: string | undefined;
  /** How long Instantly asks to wait. */
  readonly retryAfterMs?: number | undefined;
}

/** A call that Instantly did not answer as hoped. The message says what to do about it and holds no secret. */
export class InstantlyApiError extends Error {
  override readonly name = 'InstantlyApiError';
  readonly failure: ApiFailure;
  readonly operation: OperationName;
  readonly status: number | null;
  readonly retryAfterMs: number | undefined;

  constructor(fields: ApiErrorFields) {
    super(`${fields.operation}: ${explain(fields)}`);
    this.failure = fields.failure;
    this.operation = fields.operation;
    this.status = fields.status;
    this.retryAfterMs = fields.retryAfterMs;
  }

  /** Whether the same call may succeed later without anybody changing anything. */
  get isPassing(): boolean {
    return PASSING.has(this.failure);
  }

  /** Whether it is unknown if the call took effect. */
  get isOutcomeUnknown(): boolean {
    return this.failure === 'timeout' || this.failure === 'server' || this.failure === 'unreachable';
  }
}

/** Whether the key may not do what was asked of it. */
export function lacksScope(error: unknown): boolean {
  return error instanceof InstantlyApiError && error.failure === 'scope';
}

const PASSING: ReadonlySet<ApiFailure> = new Set(['rate-limited', 'server', 'timeout', 'unreachable']);

/** Where API keys are made and deleted. */
export const KEYS_PAGE = 'Instantly under Settings > Integrations > API keys';

function explain({ failure, operation, setting, status, detail, via }: ApiErrorFields): string {
  const { scope, path } = OPERATIONS[operation];
  const more = detail === undefined ? '' : `: ${detail}`;
  const way = via === undefined ? 'the network' : `the proxy ${via} (HTTPS_PROXY)`;
  switch (failure) {
    case 'refused':
      return `Instantly refused the request (400)${more}`;
    case 'unauthorized':
      return `Instantly does not know the key in ${setting} (401): make one at ${KEYS_PAGE} and set ${setting} to it`;
    case 'plan':
      return `the workspace's plan does not allow it (402)${more}; webhooks need Instantly's Hypergrowth plan or a higher one, and a paid workspace`;
    case 'scope':
      return `the key in ${setting} lacks the scope ${scope} (403): make one that has it at ${KEYS_PAGE} and set ${setting} to it`;
    case 'excess-scopes':
      return `INSTANTLY_SCOPES=strict does not use the key in ${setting}${more}`;
    case 'blocked':
      return `a 403 that is not the API's own: the edge in front of Instantly refuses the User-Agent (${USER_AGENT}; a proxy may have changed it), or it blocks this machine or ${via === undefined ? 'the proxy it goes through' : way}; no scope helps, try from another address`;
    case 'not-found':
      return `Instantly has no such thing (404): ${path.includes('{id}') ? `it was deleted, or belongs to another workspace than the key in ${setting}; "webhooks list" shows what there is` : 'check INSTANTLY_API_URL'}`;
    case 'rate-limited':
      return 'the workspace has used up what Instantly allows it a minute (429): try again in a minute';
    case 'server':
      return `Instantly could not answer (status ${status}): try again in a few minutes`;
    case 'timeout':
      return 'Instantly did not answer in time: try again in a few minutes';
    case 'unreachable':
      return `Instantly could not be reached${detail === undefined ? '' : ` (${detail})`}: check ${way} and INSTANTLY_API_URL`;
    case 'too-large':
      return 'the answer is larger than anything Instantly should say: check INSTANTLY_API_URL';
    case 'unreadable':
      return `the answer (status ${status}) is not what Instantly has published${more}: check INSTANTLY_API_URL, or update the receiver`;
  }
}
