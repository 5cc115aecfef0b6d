import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { ApiError } from './api-error.ts';
import { checkSchema, isObject } from './check-schema.ts';
import { OPERATIONS, type Operation, type OperationRules } from './operations.ts';
import { readJsonBody } from './read-body.ts';
import { readQuery } from './read-query.ts';
import { RUN } from './run-operation.ts';
import { UUID_SCHEMA } from './schemas.ts';
import { holdsScope, sufficientScopes } from './scopes.ts';
import type { Service } from './service.ts';
import type { ApiKey, Plan } from './shapes.ts';

export interface ApiRequest {
  readonly incoming: IncomingMessage;
  readonly operation: Operation;
  /** The one in the path, or nothing. */
  readonly id: string;
  readonly search: URLSearchParams;
}

const API_BODY_BYTES = 1024 * 1024;

/**
 * Who calls, whether the key may, whether the plan has it, whether the request is well formed, and only then what it asks.
 *
 * @throws ApiError
 */
export async function handleApi(service: Service, request: ApiRequest, key: ApiKey | undefined): Promise<unknown> {
  const { incoming, operation, id, search } = request;
  const rules: OperationRules = OPERATIONS[operation];
  if (key === undefined) throw refuseKey(incoming);
  if (!service.rateLimit.admit()) throw new ApiError(429, 'Rate limit exceeded');
  checkScope(key, rules.scope);
  checkPlan(service.plan, rules.needsWebhooks);
  const body = rules.body === undefined ? await ignoreBody(incoming) : await readJsonBody(incoming, API_BODY_BYTES);
  if (operation.includes('{id}')) checkSchema({ id }, { type: 'object', properties: { id: UUID_SCHEMA } }, 'params');
  if (rules.body !== undefined)
    checkSchema((service.takesNullType ? withType(body) : body) ?? null, rules.body, 'body');
  const query = readQuery(search, rules.query);
  checkSchema(query, rules.query, 'querystring');
  const caller = {
    ip: incoming.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1',
    userAgent: incoming.headers['user-agent'] ?? null,
    keyId: key.id,
  };
  return await RUN[operation](service, { id, query, body, caller, workspaceId: readWorkspace(incoming) });
}

/** As a server checks it that takes null for `event_type`. */
function withType(body: unknown): unknown {
  return isObject(body) && body['event_type'] === null ? { ...body, event_type: 'all_events' } : body;
}

/** Where the document knows no body, none is wrong. */
async function ignoreBody(incoming: IncomingMessage): Promise<undefined> {
  incoming.resume();
  await finished(incoming);
}

/** The sub-workspace that an agency's key acts on. */
export function readWorkspace({ headers }: IncomingMessage): string | undefined {
  return headers['x-as-workspace']?.toString();
}

/** The key whose text the request bears. */
export function findKey({ keys }: Service, { headers }: IncomingMessage): ApiKey | undefined {
  const [, text] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  return text === undefined ? undefined : keys.findByText(text);
}

function refuseKey({ headers }: IncomingMessage): ApiError {
  return new ApiError(401, headers.authorization === undefined ? 'Missing Authorization header' : 'Invalid API key');
}

function checkScope({ scopes }: ApiKey, needed: string): void {
  if (holdsScope(scopes, needed)) return;
  throw new ApiError(403, `Requires one of the following scopes: ${sufficientScopes(needed).join(', ')}`);
}

function checkPlan(plan: Plan, needsWebhooks: boolean): void {
  if (plan === 'none') throw new ApiError(402, 'Workspace does not have an active paid plan');
  if (plan === 'growth' && needsWebhooks) {
    throw new ApiError(402, 'Webhooks need the Hypergrowth plan or a higher one');
  }
}
