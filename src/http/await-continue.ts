import type { IncomingMessage } from 'node:http';

/** Whether the sender holds its body back until it is told "100 Continue", which no client of HTTP/1.0 understands. */
export function awaitsContinue(request: IncomingMessage): boolean {
  return request.httpVersion === '1.1' && /(?:^|\W)100-continue(?:$|\W)/i.test(request.headers.expect ?? '');
}
