import type { IncomingMessage } from 'node:http';
import { ApiError } from './api-error.ts';

/**
 * The body as JSON; `undefined` where there is none.
 *
 * @throws ApiError 400, 413, 415
 */
export async function readJsonBody(incoming: IncomingMessage, limit: number): Promise<unknown> {
  if (incoming.method === 'GET') return undefined;
  const type = incoming.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const text = await readText(incoming, limit);
  // A DELETE has no body, whatever its headers say of one.
  if (text === '' && (type === undefined || incoming.method === 'DELETE')) return undefined;
  if (type !== 'application/json') throw new ApiError(415, 'Unsupported Media Type');
  if (text === '') throw new ApiError(400, "Body cannot be empty when content-type is set to 'application/json'");
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, "Body is not valid JSON but content-type is set to 'application/json'");
  }
}

async function readText(incoming: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Stopping must not cut the connection: a refusal is still to be said on it.
  for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > limit) throw new ApiError(413, 'Request body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
