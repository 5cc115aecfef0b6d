import type { ServerResponse } from 'node:http';
import type { Exchange } from './exchange.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

export interface WholeAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** More headers, names and values in turn. */
  readonly headers?: readonly string[];
}

/**
 * Writes the whole of an answer that is known as it is. Not json() or send(): what those negotiate is settled here, and this is
 * done ten thousand times a second. Headers that were set before stay, but each then costs as much as all the others together.
 */
export function writeAnswer(
  response: ServerResponse,
  exchange: Exchange,
  { status, type, text, headers = [] }: WholeAnswer,
): void {
  const bytes = Buffer.byteLength(text);
  response.writeHead(status, [
    ...SECURITY_HEADERS,
    ...headers,
    'x-request-id',
    exchange.id,
    'Content-Type',
    type,
    'Content-Length',
    String(bytes),
  ]);
  // Plain ASCII need not be looked through again for what UTF-8 writes otherwise.
  response.end(text, bytes === text.length ? 'latin1' : 'utf8');
}
