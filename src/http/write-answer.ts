import type { ServerResponse } from 'node:http';

export interface WholeAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/**
 * Writes the whole of an answer that is known as it is, beside the headers that were set before. Not json() or send(): what those
 * negotiate is settled here, and this is done ten thousand times a second.
 */
export function writeAnswer(response: ServerResponse, { status, type, text }: WholeAnswer): void {
  const bytes = Buffer.byteLength(text);
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', bytes);
  response.statusCode = status;
  // Plain ASCII need not be looked through again for what UTF-8 writes otherwise.
  response.end(text, bytes === text.length ? 'latin1' : 'utf8');
}
