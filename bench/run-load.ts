import type { LoadOrder, LoadResult } from './load.ts';
import { runGenerator } from './run-generator.ts';
import { LOAD } from './servers.ts';

/** Runs the generator in a process of its own and waits for what it measured. */
export async function runLoad(order: LoadOrder): Promise<LoadResult> {
  return JSON.parse(await runGenerator(LOAD, [JSON.stringify(order)], order.amount, order.pace)) as LoadResult;
}
