import { type AuthenticDelivery, type Coding, type Unpacked, UnpackTimeout, unpack } from '../authenticate/index.ts';
import { Problem } from '../errors/problem.ts';
import type { BufferBudget } from './buffer-budget.ts';
import type { Exchange } from './exchange.ts';

/**
 * Unpacks a proven body within the memory for bodies.
 *
 * @throws Problem `overloaded`: the memory is full, or it took too long
 */
export async function unpackBody(
  exchange: Exchange,
  proven: AuthenticDelivery,
  coding: Coding,
  { budget, bodyLimitBytes }: { readonly budget: BufferBudget; readonly bodyLimitBytes: number },
): Promise<Unpacked> {
  const take = (bytes: number): void => {
    if (!budget.take(exchange, bytes)) throw new Problem('overloaded', { reason: 'body-memory-full', retryAfter: 2 });
  };
  try {
    return await exchange.ending(unpack(proven, coding, { limitBytes: bodyLimitBytes, take }));
  } catch (error) {
    if (!(error instanceof UnpackTimeout)) throw error;
    throw new Problem('overloaded', { reason: 'unpacking-timeout', retryAfter: 2 });
  }
}
