import { Tally } from '../tally.ts';
import { type EndedAttempt, endAttempts } from './end-attempts.ts';
import type { Runner, Statement } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/** Deliveries in one step: each may take a lock of its lane. */
const STEP = 200;

const OWNERS: Statement = {
  name: 'lease-owners',
  text: `SELECT DISTINCT split_part(lease, ':', 1) AS owner FROM deliveries WHERE state = 'running'`,
};

/** Whoever can take the lock of an owner finds that its session is gone. It is given back with the transaction. */
const TRY_OWNER: Statement = {
  name: 'try-owner',
  text: `SELECT pg_try_advisory_xact_lock(hashtextextended('instantly receiver: owner ' || $1, 0)) AS is_free`,
};

const STALE: Statement = {
  name: 'stale-leases',
  text: `SELECT id, lease, attempts FROM deliveries
    WHERE state = 'running' AND (lease_until <= $1::bigint OR split_part(lease, ':', 1) = ANY ($2::text[]))
    ORDER BY lease_until LIMIT ${STEP}`,
};

/** Held by a process for as long as the connection lives that took it. */
export const HOLD_OWNER: Statement = {
  name: 'hold-owner',
  text: `SELECT pg_advisory_lock(hashtextextended('instantly receiver: owner ' || $1, 0))`,
};

/** An orderly end: what still runs may be taken by others at once. */
export const EXPIRE_OWN: Statement = {
  name: 'expire-own',
  text: `UPDATE deliveries SET lease_until = 0 WHERE state = 'running' AND split_part(lease, ':', 1) = $1`,
};

/**
 * Tells processes that have vanished from those whose connection was cut for a moment: an owner counts as gone when its
 * session lock is found free at two looks this far apart. The server gives the lock back by itself, so no process has to
 * say again and again that it lives.
 */
export class VanishedOwners {
  readonly #graceMs: number;
  readonly #freeSince = new Map<string, number>();

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** Inside a transaction. `own` is never gone. */
  async find(runner: Runner, own: string, now = performance.now()): Promise<string[]> {
    const owners = (await runner.all<{ owner: string }>(OWNERS))
      .map(({ owner }) => owner)
      .filter((name) => name !== own);
    const free = new Map<string, number>();
    for (const owner of owners) {
      const [row] = await runner.all<{ is_free: boolean }>(TRY_OWNER, owner);
      if (row?.is_free === true) free.set(owner, this.#freeSince.get(owner) ?? now);
    }
    this.#freeSince.clear();
    for (const [owner, since] of free) this.#freeSince.set(owner, since);
    return [...free].filter(([, since]) => now - since >= this.#graceMs).map(([owner]) => owner);
  }
}

export interface Recovery {
  /** Owners whose leases are taken back whatever their time. */
  readonly gone: readonly string[];
  readonly now: number;
  readonly maxAttempts: number;
}

/** One step, inside a transaction. Such an attempt stays counted: a delivery that kills its process must end dead one day. */
export async function recoverStep(runner: Runner, { gone, now, maxAttempts }: Recovery): Promise<number> {
  const stale = await runner.all<{ id: number; lease: string; attempts: number }>(STALE, now, gone);
  const ended = stale.map(({ id, lease, attempts }): EndedAttempt => {
    const isDead = attempts >= maxAttempts;
    return {
      id,
      lease,
      state: isDead ? 'dead' : 'pending',
      at: now,
      nextAt: isDead ? null : now,
      holdUntil: null,
      error: 'the process ended during this attempt',
      counts: true,
    };
  });
  const moved = await endAttempts(runner, ended, now);
  const tally = new Tally();
  let recovered = 0;
  for (const [state, n] of moved) {
    tally.move('running', state, n);
    recovered += n;
  }
  await writeTally(runner, tally);
  return recovered;
}
