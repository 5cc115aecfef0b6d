import { StoreUnavailable } from '../../errors/problem.ts';

/** What the promise gives, or `StoreUnavailable` after so many milliseconds; what it was waited for may still happen. */
export async function limitTime<Result>(promise: Promise<Result>, milliseconds: number, what: string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable(`${what} within ${milliseconds} ms`)), milliseconds);
  });
  // Nobody listens any more to what comes too late.
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
