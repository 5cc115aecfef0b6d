import { setTimeout as pause } from 'node:timers/promises';
import type { ReplayRequest, ReplayResult, Store } from '../inbox/store.ts';
import { interruptible } from './interrupt.ts';
import { refuseUnknownHandler } from './known-names.ts';
import { commandSettings, operateStore, operatorDraft } from './open-store.ts';
import { startProgress } from './progress.ts';

/** Events in one transaction: it holds the lock that the receiver needs for each answer. */
const STEP = 500;
/** Milliseconds that the receiver has the lock to itself between two steps, at the least. */
const LEAST_PAUSE_MS = 20;

export interface ReplayPlan {
  readonly only: ReplayRequest['only'];
  readonly handler: string | undefined;
  /** `event.replay` or `dead.replay`. */
  readonly action: string;
  /** What the audit entries say besides the counts. */
  readonly metadata: Parameters<typeof operatorDraft>[1];
}

/**
 * Opens the store for a replay, which a signal ends between two steps. What was done by then is reported like what is
 * done in the end.
 */
export async function runReplay(
  handler: string | undefined,
  work: (store: Store, signal: AbortSignal, onProgress: (done: number) => void) => Promise<void>,
  report: () => void,
): Promise<void> {
  const stop = interruptible();
  const progress = startProgress('events');
  try {
    await operateStore(commandSettings(), async (store) => {
      await refuseUnregistered(store, handler);
      await work(store, stop.signal, progress.update);
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    progress.stop();
    report();
    throw stop.signal.reason;
  } finally {
    progress.stop();
    stop.release();
  }
  report();
}

/** Replays events a step at a time, however many they are. `onStep` is told of each. */
export async function replayIds(
  store: Pick<Store, 'replay'>,
  ids: readonly string[],
  plan: ReplayPlan,
  signal: AbortSignal,
  onStep: (events: number, result: ReplayResult) => void,
): Promise<void> {
  for (let at = 0; at < ids.length; at += STEP) {
    signal.throwIfAborted();
    const step = ids.slice(at, at + STEP);
    const started = performance.now();
    const result = await store.replay({
      filter: { ids: step, limit: step.length },
      only: plan.only,
      ...(plan.handler === undefined ? {} : { handler: plan.handler }),
      now: Date.now(),
      audit: operatorDraft(plan.action, {
        eventId: ids.length === 1 ? ids[0] : undefined,
        handler: plan.handler,
        ...plan.metadata,
      }),
    });
    onStep(step.length, result);
    if (at + STEP < ids.length)
      await pause(Math.max(LEAST_PAUSE_MS, performance.now() - started), undefined, { signal });
  }
}

/** A replay for a handler that no receiver runs would stay pending for ever. */
async function refuseUnregistered(store: Store, handler: string | undefined): Promise<void> {
  await refuseUnknownHandler(store, handler);
  if (handler === undefined) return;
  const names = (await store.registeredHandlers()).map((route) => route.handler);
  if (names.includes(handler)) return;
  throw new Error(
    `no handler named ${handler} is registered any more; ${names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`}`,
  );
}
