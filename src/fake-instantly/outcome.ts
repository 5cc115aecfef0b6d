import type { ServerResponse } from 'node:http';
import { ApiError } from './api-error.ts';
import { disfigure, EDGE_PAGE, type Fault, type Silence, statusError } from './faults.ts';

/** What is answered. */
export interface Outcome {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** Seconds, for the header of that name. */
  readonly retryAfter?: number;
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function success(body: unknown): Outcome {
  return { status: 200, type: JSON_TYPE, text: JSON.stringify(body) };
}

/** Whatever was thrown; what nobody foresaw is told as such, and says nothing of itself. */
export function failure(error: unknown): Outcome {
  const { status, body } = error instanceof ApiError ? error : statusError(500);
  return { status, type: JSON_TYPE, text: JSON.stringify(body) };
}

export const REFUSED_AT_EDGE: Outcome = { status: 403, type: 'text/html; charset=utf-8', text: EDGE_PAGE };

/** What a fault answers without asking the service. */
export function beforehand(fault: Fault | undefined): Outcome | Silence | undefined {
  if (typeof fault === 'object' && 'status' in fault) {
    return { ...failure(statusError(fault.status)), retryAfter: fault.retryAfter };
  }
  if (fault === undefined || typeof fault === 'object' || fault === 'broken-json') return undefined;
  if (fault === 'edge') return REFUSED_AT_EDGE;
  return typeof fault === 'number' ? failure(statusError(fault)) : fault;
}

/** What a fault makes of a success. */
export function afterwards(fault: Fault | undefined, body: unknown): Outcome | Silence {
  if (fault === 'broken-json') {
    const whole = success(body);
    return { ...whole, text: whole.text.slice(0, Math.ceil(whole.text.length / 2)) };
  }
  if (typeof fault === 'object' && 'afterwards' in fault) {
    return typeof fault.afterwards === 'number' ? failure(statusError(fault.afterwards)) : fault.afterwards;
  }
  return success(disfigure(body, fault));
}

export function send(outgoing: ServerResponse, outcome: Outcome | Silence): void {
  if (outcome === 'hang') return;
  if (outcome === 'drop') {
    outgoing.destroy();
    return;
  }
  const { status, type, text, retryAfter } = outcome;
  if (retryAfter !== undefined) outgoing.setHeader('retry-after', retryAfter);
  // What is left of a body that was not read must not be taken for the next request.
  if (!outgoing.req.complete) outgoing.setHeader('connection', 'close');
  outgoing.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  outgoing.end(text);
}
