import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { type AuthenticDelivery, makeAuthenticDelivery } from './delivery.ts';

/** Content codings that a proven body is unpacked from. */
export type Coding = 'gzip' | 'br' | 'deflate';

export interface UnpackOptions {
  readonly limitBytes: number;
  /** Called before each piece is kept; throws where there is no memory for it, and `unpack` rejects with that. */
  readonly take: (bytes: number) => void;
}

export type Unpacked =
  | { readonly ok: true; readonly delivery: AuthenticDelivery }
  | { readonly ok: false; readonly reason: 'not-unpackable' | 'body-too-large' };

/** One unpacking took longer than anything within the limits takes. */
export class UnpackTimeout extends Error {
  override readonly name = 'UnpackTimeout';
}

const TIMEOUT_MS = 10_000;
const CHUNK_BYTES = 65_536;

/** Each lane unpacks one body at a time: a decoder may hold a window of 16 MB besides its output. */
const LANES: Promise<unknown>[] = Array.from({ length: 4 }, () => Promise.resolve());
let nextLane = 0;

/**
 * Unpacks the body of a proven sender, in threads of zlib's own. The proof is over the bytes as they came, so it comes first.
 *
 * @throws UnpackTimeout
 */
export function unpack(delivery: AuthenticDelivery, coding: Coding, options: UnpackOptions): Promise<Unpacked> {
  const index = nextLane++ % LANES.length;
  const unpacked = Promise.resolve(LANES[index]).then(() => unpackNow(delivery, coding, options));
  LANES[index] = unpacked.catch(() => undefined);
  return unpacked;
}

async function unpackNow(delivery: AuthenticDelivery, coding: Coding, options: UnpackOptions): Promise<Unpacked> {
  const { principal, source, contentType } = delivery;
  let reason: 'not-unpackable' | 'body-too-large' = 'not-unpackable';
  for (const decoder of decodersFor(coding, delivery.body)) {
    const result = await decode(delivery.body, decoder(), options);
    if (typeof result !== 'string') {
      return { ok: true, delivery: makeAuthenticDelivery({ body: result, principal, source, contentType }) };
    }
    reason = result;
    if (reason === 'body-too-large') break;
  }
  return { ok: false, reason };
}

/** In the order in which to try them. `deflate` is zlib's format by the standard, and the bare one with many senders. */
function decodersFor(coding: Coding, body: Uint8Array): (() => Transform)[] {
  const options = { chunkSize: CHUNK_BYTES };
  if (coding === 'gzip') return [() => createGunzip(options)];
  if (coding === 'br') return [() => createBrotliDecompress(options)];
  const bare = () => createInflateRaw(options);
  return hasZlibHeader(body) ? [() => createInflate(options), bare] : [bare];
}

function hasZlibHeader([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}

function decode(
  body: Uint8Array,
  decoder: Transform,
  { limitBytes, take }: UnpackOptions,
): Promise<Uint8Array | 'not-unpackable' | 'body-too-large'> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => end(() => reject(new UnpackTimeout('unpacking took too long'))), TIMEOUT_MS);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      decoder.removeAllListeners('data').destroy();
      settle();
    };
    decoder.on('data', (piece: Buffer) => {
      size += piece.byteLength;
      if (size > limitBytes) return end(() => resolve('body-too-large'));
      try {
        take(piece.byteLength);
        pieces.push(piece);
      } catch (error) {
        end(() => reject(error));
      }
    });
    decoder.once('end', () => end(() => resolve(Buffer.concat(pieces, size))));
    decoder.on('error', () => end(() => resolve('not-unpackable')));
    decoder.end(body);
  });
}
