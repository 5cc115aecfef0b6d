import { setTimeout as pause } from 'node:timers/promises';
import type { DiscardResult, ReplayRequest, ReplayResult, Store } from '../inbox/store.ts';
import { interruptible } from './interrupt.ts';
import { refuseUnknownHandler } from './known-names.ts';
import { commandSettings, operateStore, operatorDraft } from './open-store.ts';
import { count } from './print.ts';
import { startProgress } from './progress.ts';

/** Events in one transaction: it holds the lock that the receiver needs for each answer. */
const STEP = 500;
/** Milliseconds that the receiver has the lock to itself between two steps, at the least. */
const LEAST_PAUSE_MS = 20;

export interface ReplayPlan {
  /** What is run again; or `discard`: what is dead or orphaned is ended. */
  readonly only: ReplayRequest['only'] | 'discard';
  readonly handler: string | undefined;
  /** `event.replay`, `dead.replay` or `dead.discard`. */
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
  refuse: typeof refuseUnregistered,
  work: (store: Store, signal: AbortSignal, onProgress: (done: number) => void) => Promise<void>,
  report: () => void,
): Promise<void> {
  const stop = interruptible();
  const progress = startProgress('events');
  try {
    await operateStore(commandSettings(), async (store) => {
      await refuse(store, handler);
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
  store: Pick<Store, 'replay' | 'discard'>,
  ids: readonly string[],
  plan: ReplayPlan,
  signal: AbortSignal,
  onStep: (events: number, result: ReplayResult) => void,
): Promise<void> {
  for (let at = 0; at < ids.length; at += STEP) {
    signal.throwIfAborted();
    const step = ids.slice(at, at + STEP);
    const started = performance.now();
    const request = {
      filter: { ids: step, limit: step.length },
      ...(plan.handler === undefined ? {} : { handler: plan.handler }),
      now: Date.now(),
      audit: operatorDraft(plan.action, {
        eventId: ids.length === 1 ? ids[0] : undefined,
        handler: plan.handler,
        ...plan.metadata,
      }),
    };
    const { only } = plan;
    const result: DiscardResult & { readonly orphaned?: number } =
      only === 'discard' ? await store.discard(request) : await store.replay({ ...request, only });
    onStep(step.length, { orphaned: 0, ...result });
    if (at + STEP < ids.length)
      await pause(Math.max(LEAST_PAUSE_MS, performance.now() - started), undefined, { signal });
  }
}

/** Why deliveries of handlers that are gone are not run again, and what to do. */
export function explainOrphans(deliveries: number, handlers: readonly string[], way: string): string {
  const many = handlers.length > 1;
  const whose = `${many ? 'handlers' : 'a handler'} that no longer ${many ? 'exist' : 'exists'} (${handlers.join(', ')})`;
  return `${count(deliveries, 'delivery belongs', 'deliveries belong')} to ${whose}: put ${many ? 'their files' : 'its file'} back, or end ${deliveries === 1 ? 'it' : 'them'} with "dead discard${way}"`;
}

/** A replay for a handler that no receiver runs would stay pending for ever. */
export async function refuseUnregistered(store: Store, handler: string | undefined): Promise<void> {
  await refuseUnknownHandler(store, handler);
  if (handler === undefined) return;
  const names = (await store.registeredHandlers()).map((route) => route.handler);
  if (names.includes(handler)) return;
  const orphaned = (await store.orphans()).handlers.find((known) => known.handler === handler);
  if (orphaned !== undefined)
    throw new Error(
      `${explainOrphans(orphaned.pending + orphaned.dead, [handler], ` --handler ${handler}`)}; nothing was replayed`,
    );
  throw new Error(
    `no handler named ${handler} is registered any more; ${names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`}`,
  );
}
