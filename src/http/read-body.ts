import type { IncomingMessage } from 'node:http';
import { Problem } from '../errors/problem.ts';
import { type BufferBudget, PendingBody } from './buffer-budget.ts';
import type { Exchange } from './exchange.ts';
import { GatheredBytes } from './gather-bytes.ts';

const RETRY_AFTER_SECONDS = 2;
/** A body takes turns with the other connections from this size on. */
const UNDIVIDED_BYTES = 64 * 1024;

export interface ReadBodyOptions {
  readonly limitBytes: number;
  readonly budget: BufferBudget;
  /** Whether the sender is proven before its body is read. */
  readonly proven: boolean;
  /** Its interruption happens where the time is over, the framing is broken, or the body is given up. */
  readonly exchange: Exchange;
  /** Told once the sender may send it: nothing that stands in the headers speaks against the body. */
  readonly onWanted: () => void;
}

/**
 * The body, byte for byte as it came, in memory of its own, which is taken from the budget and given back by the caller.
 * @throws Problem `body-too-large`, `overloaded`, or that of the interruption
 */
export function readBody(request: IncomingMessage, options: ReadBodyOptions): Promise<Uint8Array> {
  const { limitBytes, budget, exchange } = options;
  const length = request.headers['content-length'];
  const declared = Number(length ?? limitBytes);
  if (declared > limitBytes) return Promise.reject(new Problem('body-too-large'));
  options.onWanted();
  return new Promise((resolve, reject) => {
    const body = new GatheredBytes(declared);
    let turn: NodeJS.Immediate | undefined;
    const resume = (): void => {
      turn = undefined;
      request.resume();
    };
    const stop = (): void => {
      exchange.pending = undefined;
      if (turn !== undefined) {
        clearImmediate(turn);
        resume();
      }
      request.off('data', onData).off('end', onEnd).off('error', onError);
      exchange.interruption.listen(undefined);
    };
    const fail = (reason: unknown): void => {
      stop();
      reject(reason);
    };
    const onData = (chunk: Buffer): void => {
      if (body.size + chunk.byteLength > limitBytes) fail(new Problem('body-too-large'));
      else if (budget.take(exchange, chunk.byteLength)) {
        body.add(chunk);
        // The event loop reads up to 2 MB of one connection before it looks at the next one.
        if (turn === undefined && body.size > UNDIVIDED_BYTES) {
          request.pause();
          turn = setImmediate(resume);
        }
      } else fail(new Problem('overloaded', { reason: 'body-memory-full', retryAfter: RETRY_AFTER_SECONDS }));
    };
    const onEnd = (): void => {
      stop();
      resolve(body.take());
    };
    const onError = (): void => fail(new Problem('client-closed'));
    if (exchange.interruption.problem !== undefined) return fail(exchange.interruption.problem);
    if (!options.proven) exchange.pending = new PendingBody(exchange, length === undefined ? undefined : declared);
    exchange.interruption.listen(fail);
    request.on('data', onData).on('end', onEnd).on('error', onError);
  });
}
