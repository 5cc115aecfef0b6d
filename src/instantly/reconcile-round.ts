import type { Inbox, ReadEvent } from '../inbox/accept.ts';
import type { Store } from '../inbox/store.ts';
import { InstantlyApiError } from './api-error.ts';
import { readFirstStart } from './first-start.ts';
import type { InstantlyReader } from './reader.ts';
import { reconcileLog } from './reconcile-log.ts';
import type { ReconcileReport } from './reconcile-options.ts';
import type { ReconcileState } from './watch-state.ts';

/** Pages and milliseconds of one round; what is left is for the next. */
const MAX_PAGES = 100;
const WITHIN_MS = 120_000;
/** Milliseconds that each round looks back behind where the last one ended: an attempt is logged when it is over, and retries of
 * one delivery stand apart. */
const OVERLAP_MS = 2 * 3_600_000;

export interface RoundOptions {
  readonly reader: Pick<InstantlyReader, 'webhookEvents'>;
  readonly store: Pick<Store, 'findByKeys' | 'readDocument'>;
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly url: string;
  readonly retentionMs: number;
  readonly onAccepted: (facts: ReadEvent['facts']) => void;
  /** After each page, so that a restart goes on from there. */
  readonly save: (state: ReconcileState) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Round {
  readonly state: ReconcileState;
  readonly report: ReconcileReport;
}

/** Goes on with the run that was interrupted, or begins the one that is due. */
export async function reconcileRound(state: ReconcileState, now: number, options: RoundOptions): Promise<Round> {
  const oldest = await oldestOfUse(options, now);
  const { run } = state;
  const window: NonNullable<ReconcileState['run']> = run ?? {
    mode: state.allFrom === null ? 'failed' : 'all',
    from: Math.max(oldest, state.allFrom ?? (state.through ?? oldest) - OVERLAP_MS),
    to: now,
  };
  // A run carries on what it was begun for; what a webhook's next spell asks for meanwhile is for a run of its own.
  let current: ReconcileState = { ...state, run: window, allFrom: run === null ? null : state.allFrom };
  try {
    const report = await reconcileLog({
      ...options,
      window,
      includeSucceeded: false,
      dryRun: false,
      known: new Set(state.undated),
      maxPages: MAX_PAGES,
      withinMs: WITHIN_MS,
      onPage: async ({ startingAfter, undated, complete }) => {
        current = { ...current, undated: [...state.undated, ...undated] };
        current = complete ? close(current, window) : { ...current, run: { ...window, startingAfter } };
        await options.save(current);
      },
    });
    return { state: current, report };
  } catch (error) {
    // Nobody has said how long a cursor is good for: the next round begins the window anew, and finds held what is held.
    if (isRefusal(error) && run?.startingAfter !== undefined) {
      const { startingAfter: _, ...whole } = window;
      await options.save({ ...current, run: whole });
    }
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof InstantlyApiError && (error.failure === 'refused' || error.failure === 'not-found');
}

function close(state: ReconcileState, { to }: NonNullable<ReconcileState['run']>): ReconcileState {
  return { ...state, run: null, through: Math.max(state.through ?? 0, to) };
}

/** What happened before the first start was never for us, and what retention has pruned is not to come back. */
export async function oldestOfUse(
  { store, retentionMs }: Pick<RoundOptions, 'retentionMs'> & { readonly store: Pick<Store, 'readDocument'> },
  now: number,
): Promise<number> {
  return Math.max((await readFirstStart(store)) ?? now, now - retentionMs);
}
