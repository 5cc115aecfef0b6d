import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from './api-error.ts';
import type { Silence } from './faults.ts';
import { findKey, handleApi, readWorkspace } from './handle-api.ts';
import { findOperation } from './operations.ts';
import { afterwards, beforehand, failure, type Outcome, REFUSED_AT_EDGE, send } from './outcome.ts';
import type { Service } from './service.ts';

const PREFIX = '/api/v2';

/** One request to the API, as a fault that waits for it has it. */
export async function answerRequest(
  service: Service,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  url: URL,
): Promise<void> {
  const method = incoming.method ?? 'GET';
  const path = url.pathname.startsWith(`${PREFIX}/`) ? url.pathname.slice(PREFIX.length) : url.pathname;
  const found = path === url.pathname ? undefined : findOperation(method, path);
  const key = findKey(service, incoming);
  const outcome = await decide();
  service.calls.add({
    operation: found?.operation ?? null,
    method,
    path,
    status: typeof outcome === 'string' ? null : outcome.status,
    keyId: key?.id ?? null,
    userAgent: incoming.headers['user-agent'] ?? null,
    asWorkspace: readWorkspace(incoming) ?? null,
    at: service.clock.now(),
  });
  send(outgoing, outcome);

  async function decide(): Promise<Outcome | Silence> {
    if (service.needsUserAgent && isDefaultAgent(incoming.headers['user-agent'])) return REFUSED_AT_EDGE;
    if (found === undefined) return failure(new ApiError(404, `Route ${method}:${url.pathname} not found`));
    const fault = service.faults.take(found.operation);
    const instead = beforehand(fault);
    if (instead !== undefined) return instead;
    try {
      return afterwards(fault, await handleApi(service, { incoming, ...found, search: url.searchParams }, key));
    } catch (error) {
      return failure(error);
    }
  }
}

/** What libraries call themselves where their user gives no name. */
function isDefaultAgent(agent = ''): boolean {
  return agent === '' || /^(?:node|undici|axios|got|curl|wget|python|go-http-client|java|okhttp)\b/i.test(agent);
}
