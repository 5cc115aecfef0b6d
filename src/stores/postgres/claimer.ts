import type { ClaimRequest, ClaimResult } from '../../inbox/store.ts';
import { Tally } from '../tally.ts';
import { claimStep, nextDueAt } from './claim-deliveries.ts';
import { bringBackTimes, endAttempts } from './end-attempts.ts';
import { recoverStep, VanishedOwners } from './recover-leases.ts';
import type { Server } from './server.ts';
import { type Runner, runOn, type Statement, transact, UnknownOutcome } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/** Milliseconds for which one claim goes on while what it looks at turns out to be held back. */
const LOOK_MS = 500;
/** Claims whose commit is in doubt, at the most: while there is one, nothing is claimed. */
const MAX_DOUBTFUL = 100;

const LEASED: Statement = {
  name: 'leased-deliveries',
  text: `SELECT id, lease FROM deliveries WHERE state = 'running' AND lease = ANY ($1::text[])`,
};

export interface ClaimerOptions {
  readonly server: Server;
  /** Leases name it, so that another process's are told from ours. */
  readonly owner: string;
  readonly goneAfterMs: number;
}

/** Leases deliveries for this process and takes back those of processes that are gone. */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #vanished: VanishedOwners;
  readonly #doubtful = new Set<string>();
  /** Times of a clock that was set back before this process began were looked for. */
  #hasLooked = false;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    this.#vanished = new VanishedOwners(options.goneAfterMs);
  }

  async claim(wanted: ClaimRequest): Promise<ClaimResult> {
    const { server, owner } = this.#options;
    const request = { ...wanted, lease: `${owner}:${wanted.lease}` };
    if (this.#doubtful.size > 0) await this.#giveBack();
    return server.use(async (client) => {
      const until = performance.now() + LOOK_MS;
      for (;;) {
        const due = await nextDueAt(runOn(client), request);
        if (due === null || due > request.now) return { deliveries: [], nextDueAt: due };
        const { deliveries, heldBack } = await this.#step(request, () =>
          transact(client, (runner) => claimStep(runner, request)),
        );
        if (deliveries.length > 0) {
          // They are leased: where the connection breaks now, they still have to be handed over.
          const next = await nextDueAt(runOn(client), request).catch(() => request.now);
          return { deliveries, nextDueAt: next };
        }
        if (heldBack === 0 || performance.now() > until) return { deliveries, nextDueAt: due };
      }
    });
  }

  /** In steps; the first of them also looks for processes that have vanished. */
  async recover(now: number, maxAttempts: number): Promise<number> {
    const { server, owner } = this.#options;
    if (!this.#hasLooked) {
      let changed: number;
      do changed = await server.use((client) => transact(client, (runner) => bringBackTimes(runner, now)));
      while (changed > 0);
      this.#hasLooked = true;
    }
    return server.use((client) =>
      transact(client, async (runner) => {
        const gone = await this.#vanished.find(runner, owner);
        return recoverStep(runner, { gone, now, maxAttempts });
      }),
    );
  }

  /** Nobody here has what a claim of unknown outcome has leased. */
  async #step<Result>({ lease }: ClaimRequest, claim: () => Promise<Result>): Promise<Result> {
    try {
      return await claim();
    } catch (error) {
      if (error instanceof UnknownOutcome && this.#doubtful.size < MAX_DOUBTFUL) this.#doubtful.add(lease);
      throw error;
    }
  }

  async #giveBack(): Promise<void> {
    const leases = [...this.#doubtful];
    await this.#options.server.use((client) => transact(client, (runner) => this.#release(runner, leases)));
    for (const lease of leases) this.#doubtful.delete(lease);
  }

  async #release(runner: Runner, leases: readonly string[]): Promise<void> {
    const now = Date.now();
    const rows = await runner.all<{ id: number; lease: string }>(LEASED, leases);
    const moved = await endAttempts(
      runner,
      rows.map(({ id, lease }) => ({
        id,
        lease,
        state: 'pending',
        at: now,
        nextAt: now,
        holdUntil: null,
        error: null,
        counts: false,
      })),
      now,
    );
    const tally = new Tally();
    for (const [state, n] of moved) tally.move('running', state, n);
    await writeTally(runner, tally);
  }
}
