import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '../../src/audit/new-id.ts';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import type { ClaimedDelivery, Store } from '../../src/inbox/store.ts';
import type { GrownStore } from './grown-store.ts';
import { HANDLERS } from './history.ts';
import { makeAccept, makeOutcome } from './make-parts.ts';

/** Events in one transaction, about. */
const BATCH = 100;
/** Deliveries of each handler in one claim. */
const PLACES = 50;
const LEASE_MS = 600_000;
/** Events put in where a window has used up what there was to claim. */
const TOP_UP = 5_000;
/** Milliseconds for what a window has left. */
const CLEAR_LIMIT_MS = 900_000;
const LOOK_AGAIN_MS = 2;

/** What was done in a window, and how long it took. */
export interface Done {
  readonly count: number;
  readonly seconds: number;
}

/** A store worked as a receiver with a dispatcher works it, without HTTP and with handlers that do nothing. */
export class StoreWork {
  readonly #store: Store;
  readonly #commits: GroupCommit;
  readonly #maxInFlight: number;
  #accepted = 0;

  constructor({ store, maxInFlight }: Pick<GrownStore, 'store' | 'maxInFlight'>) {
    this.#store = store;
    this.#maxInFlight = maxInFlight;
    this.#commits = new GroupCommit({
      store,
      maxQueued: BATCH * (maxInFlight + 1),
      maxBatch: BATCH,
      maxInFlight,
      takeAudits: () => [],
      lostAudits: () => undefined,
    });
  }

  /** Events added so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Accepts for so long; what becomes due stays. */
  async acceptFor(seconds: number): Promise<Done> {
    const began = performance.now();
    const until = began + seconds * 1_000;
    const count = await this.#accept(() => performance.now() < until);
    return { count, seconds: (performance.now() - began) / 1_000 };
  }

  /** Claims and finishes for so long; where nothing is left, the clock stands still until there is. */
  async finishFor(seconds: number): Promise<Done> {
    let count = 0;
    let spentMs = 0;
    while (spentMs < seconds * 1_000) {
      const began = performance.now();
      count += await this.#finish(began + seconds * 1_000 - spentMs);
      spentMs += performance.now() - began;
      if (spentMs < seconds * 1_000) await this.#topUp();
    }
    return { count, seconds: spentMs / 1_000 };
  }

  /** Finishes what is left, so that every window begins with nothing to claim. */
  async clear(): Promise<void> {
    const until = performance.now() + CLEAR_LIMIT_MS;
    await this.#finish(until);
    const { deliveries } = await this.#store.counts();
    if (deliveries.pending + deliveries.running > 0) throw new Error('deliveries are left that cannot be claimed');
  }

  async #topUp(): Promise<void> {
    let left = TOP_UP;
    await this.#accept(() => {
      left -= 1;
      return left >= 0;
    });
  }

  /** As many at once as the batches under way hold, and one batch more that waits. Gives how many. */
  async #accept(goesOn: () => boolean): Promise<number> {
    let count = 0;
    const send = async (): Promise<void> => {
      while (goesOn()) {
        const { status } = await this.#commits.accept(makeAccept());
        if (status !== 'accepted') throw new Error('a new event was taken for a duplicate');
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: BATCH * (this.#maxInFlight + 1) }, send));
    this.#accepted += count;
    return count;
  }

  /** One claim at a time, as the dispatcher does, while the outcomes of earlier ones are committed. Gives how many were
   * finished by the time given, or until nothing was left. */
  async #finish(until: number): Promise<number> {
    const finishing = new Set<Promise<void>>();
    let count = 0;
    while (performance.now() < until) {
      const { deliveries, nextDueAt } = await this.#claim();
      count += deliveries.length;
      if (deliveries.length > 0) {
        const finish = this.#conclude(deliveries).finally(() => finishing.delete(finish));
        finishing.add(finish);
        if (finishing.size > this.#maxInFlight) await Promise.race(finishing);
      } else if (finishing.size > 0) await Promise.race(finishing);
      else if (nextDueAt === null) break;
      else await pause(LOOK_AGAIN_MS);
    }
    await Promise.all(finishing);
    return count;
  }

  #claim() {
    const now = Date.now();
    const places = HANDLERS.map((handler) => ({ handler, limit: PLACES }));
    return this.#store.claim({ now, places, lease: newId(), leaseUntil: now + LEASE_MS });
  }

  async #conclude(deliveries: readonly ClaimedDelivery[]): Promise<void> {
    await Promise.all(deliveries.map((delivery) => this.#commits.outcome(makeOutcome(delivery))));
  }
}
