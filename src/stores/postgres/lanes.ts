import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '../../audit/new-id.ts';
import { StoreUnavailable } from '../../errors/problem.ts';
import type { LaneOptions } from './audit-lane.ts';
import { Lane, type LaneResult, type LaneWork } from './lane.ts';
import { isConflict, sqlState, toUnavailable } from './pg-error.ts';
import type { Server } from './server.ts';
import { UnknownOutcome } from './transaction.ts';

/** Milliseconds between two tries of the same transaction. */
const RETRY_MS = 50;
/** Callers that wait for a lane at the most; the group commit keeps as many as there are lanes. */
const MAX_WAITING = 100;

/** A few lanes, each taken by one caller at a time. */
export class Lanes {
  readonly #lanes: readonly Lane[];
  readonly #free: Lane[];
  readonly #waiting: ((lane: Lane) => void)[] = [];

  /** @param statementMs milliseconds for one statement */
  constructor(server: Server, options: Omit<LaneOptions, 'writer'>, amount: number, statementMs?: number) {
    const make = (): Lane => new Lane(server, { ...options, writer: newId() }, statementMs);
    this.#lanes = Array.from({ length: amount }, make);
    this.#free = [...this.#lanes];
  }

  /**
   * Runs a transaction, again where a conflict or a lost connection undid it, for so many milliseconds.
   *
   * @throws StoreUnavailable; it may have happened all the same where the time was over before that could be told
   */
  async run<Result>(work: LaneWork<Result>, limitMs: number): Promise<LaneResult<Result>> {
    const until = performance.now() + limitMs;
    const lane = await this.#take();
    try {
      for (;;) {
        try {
          return await lane.run(work);
        } catch (error) {
          if (!mayTryAgain(error) || performance.now() + RETRY_MS > until) throw explain(error);
        }
        await pause(RETRY_MS);
      }
    } finally {
      this.#give(lane);
    }
  }

  close(): void {
    for (const lane of this.#lanes) lane.drop();
  }

  #take(): Promise<Lane> {
    const lane = this.#free.pop();
    if (lane !== undefined) return Promise.resolve(lane);
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new StoreUnavailable('too many transactions are waiting for a connection'));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(lane: Lane): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(lane);
    else next(lane);
  }
}

/** A fault of the batch itself (a value that does not fit) comes again each time, and so does one of the set-up. */
function mayTryAgain(error: unknown): boolean {
  const cause = error instanceof UnknownOutcome ? error.cause : error;
  if (toUnavailable(cause).lasting !== undefined) return false;
  const state = sqlState(cause);
  // Class 57 and 53: the server is stopping, starting, or has no room now.
  return isConflict(cause) || state === undefined || /^(57|53|08)/.test(state);
}

function explain(error: unknown): StoreUnavailable {
  return toUnavailable(error instanceof UnknownOutcome ? error.cause : error);
}
