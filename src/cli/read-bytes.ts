import { createReadStream } from 'node:fs';
import { errnoCode } from '../config/read-text-file.ts';

/**
 * The bytes of a file, or of stdin for `-`.
 *
 * @throws Error where it cannot be read or holds more than `limit` bytes
 */
export async function readBytes(path: string, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of path === '-' ? process.stdin : createReadStream(path)) {
      bytes += chunk.length;
      if (bytes > limit) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new Error(`${path} cannot be read (${errnoCode(error)})`);
  }
  if (bytes > limit) throw new Error(`${path} holds more than the ${limit} bytes that BODY_LIMIT allows`);
  return Buffer.concat(chunks);
}
