import { setTimeout as pause } from 'node:timers/promises';
import type { Answer } from './post-event.ts';

export interface SendPlan {
  readonly count: number;
  readonly concurrency: number;
  /** Begun in a second at the most; `undefined`: as fast as answers come. */
  readonly rate: number | undefined;
  readonly send: (index: number) => Promise<Answer>;
  readonly onAnswer: (answer: Answer, index: number) => void;
}

/** Sends each once, several at a time. Rejects with the signal's reason; what was answered before has been told. */
export async function sendAll(plan: SendPlan, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < plan.count) {
      const index = next;
      next += 1;
      if (plan.rate !== undefined) await until(started + (index * 1_000) / plan.rate, signal);
      signal.throwIfAborted();
      plan.onAnswer(await plan.send(index), index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(plan.concurrency, plan.count) }, lane));
}

async function until(time: number, signal: AbortSignal): Promise<void> {
  const wait = time - performance.now();
  if (wait <= 0) return;
  try {
    await pause(wait, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
