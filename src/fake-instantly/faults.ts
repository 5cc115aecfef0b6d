import { ApiError, type ErrorStatus } from './api-error.ts';
import { isObject } from './check-schema.ts';
import type { Operation } from './operations.ts';

/** An error as Instantly words it. */
export type StatusFault = Exclude<ErrorStatus, 400 | 413 | 415>;

/** `hang`: no answer, ever. `drop`: the connection is cut. */
export type Silence = 'hang' | 'drop';

export type Fault =
  | StatusFault
  | Silence
  /** 200 and JSON that ends too early. */
  | 'broken-json'
  /** 403 in HTML, as a firewall in front of the API answers. */
  | 'edge'
  /** The call has its effect, and its answer is lost. */
  | { readonly afterwards: StatusFault | Silence }
  /** The answer, or each of its items, without this field. */
  | { readonly lacks: string }
  /** The answer, or each of its items, with null in this field. */
  | { readonly nulls: string }
  /** The answer, and each of its items, with this field more. */
  | { readonly adds: string }
  /** The call has its effect, and this is answered, with 200. */
  | { readonly answer: unknown }
  /** With a Retry-After of so many seconds, which the document has for OAuth alone. */
  | { readonly status: StatusFault; readonly retryAfter: number };

export const STATUS_FAULTS = [401, 402, 403, 404, 429, 500, 503] as const satisfies readonly StatusFault[];

const MESSAGES: Readonly<Record<StatusFault, string>> = {
  401: 'Invalid API key',
  402: 'Workspace does not have an active paid plan',
  403: 'Your API key does not have the required scopes',
  404: 'Resource not found',
  429: 'Rate limit exceeded',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export const EDGE_PAGE =
  '<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>Access denied</h1><p>This request was blocked.</p></body></html>';

interface Planned {
  readonly operation: Operation | '*';
  readonly fault: Fault;
  times: number;
}

const MAX_PLANNED = 1_000;

/** What shall go wrong, in the order it was asked for. */
export class Faults {
  #planned: Planned[] = [];

  /** @param times of the next calls of the operation; `*` is any */
  plan(operation: Operation | '*', fault: Fault, times: number): void {
    if (this.#planned.length >= MAX_PLANNED) throw new Error(`no more than ${MAX_PLANNED} faults can be planned`);
    if (times > 0) this.#planned.push({ operation, fault, times });
  }

  take(operation: Operation): Fault | undefined {
    const planned = this.#planned.find((one) => one.operation === operation || one.operation === '*');
    if (planned === undefined) return undefined;
    planned.times -= 1;
    if (planned.times <= 0) this.#planned = this.#planned.filter((one) => one !== planned);
    return planned.fault;
  }

  clear(): void {
    this.#planned = [];
  }

  list(): Readonly<Planned>[] {
    return this.#planned.map((planned) => ({ ...planned }));
  }
}

export function statusError(status: StatusFault): ApiError {
  return new ApiError(status, MESSAGES[status]);
}

/** The answer as the fault has it. */
export function disfigure(body: unknown, fault: Fault | undefined): unknown {
  if (typeof fault !== 'object') return body;
  if ('answer' in fault) return fault.answer;
  if ('lacks' in fault) return changeField(body, fault.lacks, undefined);
  if ('nulls' in fault) return changeField(body, fault.nulls, null);
  return 'adds' in fault ? withField(body, fault.adds) : body;
}

/** @param value `undefined`: JSON leaves it out */
function changeField(body: unknown, field: string, value: null | undefined): unknown {
  if (Array.isArray(body)) return body.map((item) => changeField(item, field, value));
  if (!isObject(body)) return body;
  if (Object.hasOwn(body, field)) return { ...body, [field]: value };
  return mapLists(body, (item) => changeField(item, field, value));
}

function withField(body: unknown, field: string): unknown {
  if (Array.isArray(body)) return body.map((item) => withField(item, field));
  if (!isObject(body)) return body;
  return {
    ...mapLists(body, (item) => (isObject(item) ? { ...item, [field]: 'unexpected' } : item)),
    [field]: 'unexpected',
  };
}

/** Over the members of `items` and `event_types`, and of nothing else: a payload is not the answer's. */
function mapLists(
  body: Readonly<Record<string, unknown>>,
  change: (item: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const isList = (name === 'items' || name === 'event_types') && Array.isArray(value);
      return [name, isList ? value.map(change) : value];
    }),
  );
}
