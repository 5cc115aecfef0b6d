import { USER_AGENT } from '../config/product.ts';
import type { ApiKey } from '../config/settings.ts';
import { decodeBody } from '../events/parse-body.ts';
import { type SplitPage, splitPayloads } from '../events/split-payloads.ts';
import { PageNotRead } from '../inbox/body-interpreter.ts';
import { type ApiErrorFields, type ApiFailure, InstantlyApiError } from './api-error.ts';
import { OPERATIONS, type OperationName } from './operations.ts';
import type { IncomingAnswer, Send } from './send-request.ts';

const MAX_DETAIL = 200;

export interface ApiRequest {
  readonly operation: OperationName;
  readonly id?: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
}

export interface ApiAnswer {
  readonly status: number;
  readonly json: unknown;
  /** Instantly's clock minus ours, milliseconds, to the second; `undefined`: it did not say. */
  readonly clockSkewMs: number | undefined;
}

export interface Endpoint {
  readonly apiUrl: string;
  readonly key: ApiKey;
  /** The sub-workspace that the key acts on. */
  readonly asWorkspace?: string | undefined;
  /** The proxy that is called through, for people; `undefined`: none. */
  readonly via?: string | undefined;
  readonly send: Send;
  /** Takes the payloads out of a large answer. Default: in this thread. */
  readonly splitPage?: ((page: Uint8Array<ArrayBuffer>) => Promise<SplitPage>) | undefined;
}

/**
 * One request, as it is. The key goes into its header and nowhere else: redirects, which would carry it on, are refused.
 *
 * @param timeoutMs for its answer, the body included
 * @throws InstantlyApiError; what `signal` was aborted with
 */
export async function callApi(
  { apiUrl, key: { setting, secret }, asWorkspace, via, send, splitPage }: Endpoint,
  request: ApiRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const { operation } = request;
  const fail = (failure: ApiFailure, status: number | null, more: Partial<ApiErrorFields> = {}): InstantlyApiError =>
    new InstantlyApiError({ failure, operation, setting, status, via, ...more });
  const timeout = AbortSignal.timeout(timeoutMs);
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  let answer: IncomingAnswer;
  try {
    answer = await send(addressOf(apiUrl, request), {
      method: OPERATIONS[operation].method,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${secret.reveal()}`,
        'user-agent': USER_AGENT,
        ...(asWorkspace === undefined ? {} : { 'x-as-workspace': asWorkspace }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body,
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw timeout.aborted ? fail('timeout', null) : fail('unreachable', null, { detail: codeOf(error) });
  }
  const { status, content, headers } = answer;
  const json = typeof content === 'string' ? parse(content) : content && (await readLarge(content, splitPage));
  if (content === undefined || json === NOT_READ) throw fail('too-large', status);
  const failure = judge(status, json);
  if (failure !== undefined) {
    const detail = describe(failure, json, [secret.reveal(), ...textsIn(request.body)]);
    throw fail(failure, status, { detail, retryAfterMs: readRetryAfter(headers['retry-after']) });
  }
  return { status, json, clockSkewMs: skewOf(headers.date) };
}

/** `undefined`: it went well. */
function judge(status: number, json: unknown): ApiFailure | undefined {
  if (status >= 200 && status < 300) return json === undefined ? 'unreadable' : undefined;
  if (status === 403) return isApiError(json) && ('statusCode' in json || 'error' in json) ? 'scope' : 'blocked';
  if (status >= 300 && status < 400) return 'unreadable';
  return FAILURES[status] ?? 'server';
}

const FAILURES: Readonly<Record<number, ApiFailure>> = {
  400: 'refused',
  401: 'unauthorized',
  402: 'plan',
  404: 'not-found',
  422: 'refused',
  429: 'rate-limited',
};

function isApiError(json: unknown): json is { readonly message: string } {
  return typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string';
}

/** What Instantly says of a request it refused or of a plan, which may repeat the request's own words. */
function describe(failure: ApiFailure, json: unknown, secrets: readonly string[]): string | undefined {
  if (failure === 'unreadable') return json === undefined ? 'it is no JSON' : 'it leads elsewhere';
  if ((failure !== 'refused' && failure !== 'plan') || !isApiError(json)) return undefined;
  const masked = secrets.reduce((text, secret) => text.replaceAll(secret, '[value]'), json.message);
  return masked.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, MAX_DETAIL);
}

/** Every text of a body that is long enough to be a secret. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string')
    return value.length >= 8 ? [value, ...value.split(' ').filter((word) => word.length >= 8)] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function addressOf(apiUrl: string, { operation, id, query = {} }: ApiRequest): URL {
  const path = OPERATIONS[operation].path.replace('{id}', encodeURIComponent(id ?? ''));
  const url = new URL(`${apiUrl}/api/v2${path}`);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

/** What was asked for is too much at once. */
const NOT_READ = Symbol('not read');

/** Each payload of its items is the bytes of its text. */
async function readLarge(
  page: Uint8Array<ArrayBuffer>,
  splitPage: Endpoint['splitPage'] = async (bytes) => splitPayloads(decodeBody(bytes, null)),
): Promise<unknown> {
  try {
    const { text, payloads } = await splitPage(page);
    const json = parse(text);
    const items = typeof json === 'object' && json !== null && 'items' in json ? json.items : undefined;
    if (Array.isArray(items)) for (const item of items) putBack(item, payloads);
    return json;
  } catch (error) {
    if (error instanceof PageNotRead) return NOT_READ;
    throw error;
  }
}

function putBack(item: unknown, payloads: SplitPage['payloads']): void {
  if (typeof item !== 'object' || item === null || !('payload' in item)) return;
  item.payload = typeof item.payload === 'number' ? payloads[item.payload] : undefined;
}

/** `undefined`: it is no JSON. Nothing at all, as after a deletion, is `null`. */
function parse(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Such as ECONNREFUSED. Not the message, which may name more than is to be told. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return 'statusCode' in error ? `${String(error.code)} ${String(error.statusCode)}` : String(error.code);
}

/** Seconds or a date, as milliseconds from now. */
function readRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const waitMs = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs);
}

function skewOf(date: string | undefined): number | undefined {
  const theirs = date === undefined ? Number.NaN : Date.parse(date);
  // The header has whole seconds: on average it is half a second behind.
  return Number.isNaN(theirs) ? undefined : theirs + 500 - Date.now();
}
