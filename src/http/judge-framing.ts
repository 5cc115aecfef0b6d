import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { Problem } from '../errors/problem.ts';
import { NO_ROUTE, requireExchange } from './exchange.ts';

/** RFC 3986: a name or an IPv4 address, or an IPv6 address in brackets, and a port. It may be empty. */
const HOST = /^(?:\[[\w.:~%-]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*)(?::\d*)?$/i;

/** Refuses requests that may be taken in two ways, and ends connections on which nothing more can be taken. */
export function refuseUnclear(isStopping: () => boolean): RequestHandler {
  return (request, response, next) => {
    const exchange = requireExchange(request);
    const fault = findFramingFault(request);
    exchange.awaitsContinue = awaitsContinue(request);
    // A connection that was kept open would hold up the end of the service.
    exchange.isLast = fault !== undefined || endsConnection(request) || isStopping();
    if (exchange.isLast) response.setHeader('Connection', 'close');
    // Node would refuse some of it itself, without a word to the audit.
    if (fault !== undefined) {
      exchange.route = NO_ROUTE;
      throw fault;
    }
    next();
  };
}

/**
 * Refuses by RFC 9112 what Node's parser lets through: proxies read such requests in other ways than Node does.
 *
 * @returns `undefined` where nothing is wrong
 */
function findFramingFault(request: IncomingMessage): Problem | undefined {
  const reason = faultOf(request);
  return reason === undefined ? undefined : new Problem('malformed-request', { reason });
}

function faultOf({ httpVersion, headers, rawHeaders }: IncomingMessage): string | undefined {
  // A request line without a version is of HTTP/0.9.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'http-version';
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 'transfer-encoding';
  const { host } = headers;
  if (host === undefined) return httpVersion === '1.1' ? 'no-host' : undefined;
  if (hasSeveralHosts(rawHeaders)) return 'several-hosts';
  return HOST.test(host) ? undefined : 'malformed-host';
}

/** Node keeps the first alone. */
function hasSeveralHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/** Whether the connection has to end with the answer, since what follows the request may be no request. */
function endsConnection({ httpVersion, headers }: IncomingMessage): boolean {
  // Node's parser drops the rest of the segment, which may be of another protocol.
  if (headers.upgrade !== undefined) return true;
  // RFC 9112, 6.1. Node ends the connection where a 1.0 client expects 100, because such clients are not told it.
  return httpVersion === '1.0' && (headers['transfer-encoding'] !== undefined || expectsContinue(headers.expect));
}

/** Whether the sender holds its body back until it is told "100 Continue", which no client of HTTP/1.0 understands. */
function awaitsContinue({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === '1.1' && expectsContinue(headers.expect);
}

function expectsContinue(expect: string | undefined): boolean {
  return expect !== undefined && /(?:^|\W)100-continue(?:$|\W)/i.test(expect);
}
