import type { ApiKey } from '../config/settings.ts';
import { type ApiFailure, InstantlyApiError } from './api-error.ts';
import { OPERATIONS, type OperationName } from './operations.ts';

/** Bytes of an answer that are read: a page of the delivery log holds whole payloads. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
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

/**
 * One request, as it is. The key goes into its header and nowhere else: redirects, which would carry it on, are refused.
 *
 * @param timeoutMs for its answer, the body included
 * @throws InstantlyApiError; what `signal` was aborted with
 */
export async function callApi(
  apiUrl: string,
  { setting, secret }: ApiKey,
  request: ApiRequest,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const { operation } = request;
  const fail = (failure: ApiFailure, status: number | null, detail?: string): InstantlyApiError =>
    new InstantlyApiError({ failure, operation, setting, status, ...(detail === undefined ? {} : { detail }) });
  const timeout = AbortSignal.timeout(timeoutMs);
  let response: Response;
  let text: string | undefined;
  try {
    response = await fetch(addressOf(apiUrl, request), {
      method: OPERATIONS[operation].method,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${secret.reveal()}`,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
    text = await readText(response);
  } catch (error) {
    signal.throwIfAborted();
    throw timeout.aborted ? fail('timeout', null) : fail('unreachable', null, codeOf(error));
  }
  const { status } = response;
  if (text === undefined) throw fail('too-large', status);
  const json = parse(text);
  const failure = judge(status, json);
  if (failure !== undefined)
    throw fail(failure, status, describe(failure, json, [secret.reveal(), ...textsIn(request.body)]));
  return { status, json, clockSkewMs: skewOf(response.headers.get('date')) };
}

/** `undefined`: it went well. */
function judge(status: number, json: unknown): ApiFailure | undefined {
  if (status >= 200 && status < 300) return json === undefined ? 'unreadable' : undefined;
  if (status === 403) return isApiError(json) ? 'scope' : 'blocked';
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

/** What Instantly says about a request it refused, which may repeat the request's own words. */
function describe(failure: ApiFailure, json: unknown, secrets: readonly string[]): string | undefined {
  if (failure === 'unreadable') return json === undefined ? 'it is no JSON' : 'it leads elsewhere';
  if (failure !== 'refused' || !isApiError(json)) return undefined;
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

async function readText(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
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

/** Such as ECONNREFUSED; fetch keeps it in the cause. */
function codeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : undefined;
}

function skewOf(date: string | null): number | undefined {
  const theirs = date === null ? Number.NaN : Date.parse(date);
  // The header has whole seconds: on average it is half a second behind.
  return Number.isNaN(theirs) ? undefined : theirs + 500 - Date.now();
}
