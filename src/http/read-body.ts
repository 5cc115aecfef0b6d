import type { IncomingMessage } from 'node:http';
import { Problem } from '../errors/problem.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { GatheredBytes } from './gather-bytes.ts';
import type { Interruption } from './interruption.ts';

const RETRY_AFTER_SECONDS = 2;

export interface ReadBodyOptions {
  readonly limitBytes: number;
  readonly budget: BufferBudget;
  /** Whether the sender is proven before its body is read. */
  readonly proven: boolean;
  /** Its time is over, its framing is broken, or the client is gone. */
  readonly interruption: Interruption;
  /** Told once the sender may send it: nothing that stands in the headers speaks against the body. */
  readonly onWanted: () => void;
  /** Told of every byte taken from the budget; whoever ends the request gives them back. */
  readonly onTaken: (bytes: number) => void;
}

/**
 * The body, byte for byte as it came, in memory of its own.
 * @throws Problem `body-too-large`, `overloaded`, or that of the interruption
 */
export function readBody(request: IncomingMessage, options: ReadBodyOptions): Promise<Uint8Array> {
  const declared = Number(request.headers['content-length'] ?? options.limitBytes);
  if (declared > options.limitBytes) return Promise.reject(new Problem('body-too-large'));
  options.onWanted();
  return new Promise((resolve, reject) => {
    const body = new GatheredBytes(declared);
    const stop = (): void => {
      request.off('data', onData).off('end', onEnd).off('error', onError);
      options.interruption.listen(undefined);
    };
    const fail = (reason: unknown): void => {
      stop();
      reject(reason);
    };
    const onData = (chunk: Buffer): void => {
      if (body.size + chunk.byteLength > options.limitBytes) fail(new Problem('body-too-large'));
      else if (options.budget.take(chunk.byteLength, options.proven)) {
        options.onTaken(chunk.byteLength);
        body.add(chunk);
      } else fail(new Problem('overloaded', { reason: 'body-memory-full', retryAfter: RETRY_AFTER_SECONDS }));
    };
    const onEnd = (): void => {
      stop();
      resolve(body.take());
    };
    const onError = (): void => fail(new Problem('client-closed'));
    if (options.interruption.problem !== undefined) return fail(options.interruption.problem);
    options.interruption.listen(fail);
    request.on('data', onData).on('end', onEnd).on('error', onError);
  });
}
