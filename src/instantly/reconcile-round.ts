import type { Inbox, ReadEvent } from '../inbox/accept.ts';
import type { Store } from '../inbox/store.ts';
import { InstantlyApiError } from './api-error.ts';
import { readFirstStart } from './first-start.ts';
import type { InstantlyReader } from './reader.ts';
import { reconcileLog } from './reconcile-log.ts';
import type { ReconcileReport } from './reconcile-options.ts';
import { UndatedGroups } from './undated-groups.ts';
import type { ReconcileState } from './watch-state.ts';

/** Pages and milliseconds of one round; what is left is for the next. */
const MAX_PAGES = 100;
const WITHIN_MS = 120_000;
/** Milliseconds that each round looks back behind where the last one ended: an attempt is logged when it is over, and retries of
 * one delivery stand apart. */
const OVERLAP_MS = 2 * 3_600_000;
/** Milliseconds behind its own time that a round takes attempts of: Instantly's clock is known to a second or two. */
const AHEAD_MS = 60_000;
/** Rounds after which a run that finds no end is given up: two million attempts and more. */
const MAX_ROUNDS = 1_000;
/** Milliseconds for which a window in which something told nothing of use is looked at again. */
const AGAIN_MS = 24 * 3_600_000;

export interface RoundOptions {
  readonly reader: Pick<InstantlyReader, 'webhookEvents' | 'unreadable' | 'clockAheadMs'>;
  readonly store: Pick<Store, 'findByKeys' | 'readDocument' | 'writeDocument'>;
  readonly inbox: Pick<Inbox, 'interpret' | 'accept'>;
  readonly url: string;
  readonly search: string | undefined;
  readonly retentionMs: number;
  readonly onAccepted: (facts: ReadEvent['facts']) => void;
  /** A run came to no end, and what it has not read is fetched back no more. */
  readonly onGivenUp: () => void;
  /** After each page, so that a restart goes on from there. */
  readonly save: (state: ReconcileState) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Round {
  readonly state: ReconcileState;
  readonly report: ReconcileReport;
}

type Run = NonNullable<ReconcileState['run']>;

/** Goes on with the run that was interrupted, or begins the one that is due. */
export async function reconcileRound(before: ReconcileState, now: number, options: RoundOptions): Promise<Round> {
  let state = before;
  if (before.run !== null && before.run.rounds >= MAX_ROUNDS) {
    options.onGivenUp();
    state = close(before, before.run, undefined);
  }
  const oldest = await oldestOfUse(options, now);
  const { run } = state;
  const undated = await UndatedGroups.read(options.store);
  // A clock that was ahead and has been set must not leave out what failed meanwhile.
  const since = Math.min(state.through ?? oldest, now) - OVERLAP_MS;
  const begun: Run = run ?? {
    mode: state.allFrom === null ? 'failed' : 'all',
    // A disabled spell is no reason to forget what failed before it.
    from: Math.max(oldest, Math.min(state.allFrom ?? since, since)),
    to: now,
    rounds: 0,
  };
  const window: Run = { ...begun, rounds: begun.rounds + 1 };
  // A run carries on what it was begun for; what a webhook's next spell asks for meanwhile is for a run of its own.
  let current: ReconcileState = { ...state, run: window, allFrom: run === null ? null : state.allFrom };
  try {
    const report = await reconcileLog({
      ...options,
      window: { ...window, to: window.to + AHEAD_MS },
      includeSucceeded: false,
      dryRun: false,
      known: undated,
      maxPages: MAX_PAGES,
      withinMs: WITHIN_MS,
      onPage: async (report) => {
        await undated.add(report.undated);
        current = report.complete
          ? close(current, window, report.lacking)
          : { ...current, run: { ...window, startingAfter: report.startingAfter } };
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

function close(state: ReconcileState, { from, to }: Run, lacking: string | undefined): ReconcileState {
  // Where a page told nothing of use it may do so later, yet one odd attempt is not to keep newer ones waiting.
  const through = lacking === undefined ? to : Math.max(state.through ?? from, to - AGAIN_MS);
  return { ...state, run: null, through: Math.max(state.through ?? 0, through) };
}

/** What happened before the first start was never for us, and what retention has pruned is not to come back. */
export async function oldestOfUse(
  { store, retentionMs }: Pick<RoundOptions, 'retentionMs'> & { readonly store: Pick<Store, 'readDocument'> },
  now: number,
): Promise<number> {
  return Math.max((await readFirstStart(store)) ?? now, now - retentionMs);
}
