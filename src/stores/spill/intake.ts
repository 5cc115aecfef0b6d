import { setTimeout as pause } from 'node:timers/promises';
import type { LastingFault } from '../../errors/problem.ts';
import type { SpillSize } from './parcel.ts';

/** `direct`: commits go to the primary store. Else they go to the spill; `draining`: which is being emptied. */
export type SpillState = 'direct' | 'spilling' | 'draining';

export interface SpillChange {
  readonly state: SpillState;
  /** In words for an operator; `null` for `direct`. */
  readonly reason: string | null;
  /** Set where waiting does not bring the primary store back. */
  readonly lasting?: LastingFault;
}

/**
 * Where a commit goes, so that no event overtakes an earlier one.
 *
 * What has to hold: let `a` be answered before `b` is handed to `commit`, both of one lead. Then `a` is in the primary store
 * before `b` is. (Events of one lead are never in two commits at once; GroupCommit sees to it. What was not answered has no
 * place in the order: its sender comes again.)
 *
 * - `a` went direct. It is in the primary store, and wherever `b` goes it comes there later.
 * - `a` is in the spill. The state was not `direct` when its commit there began (one that fails in the primary store leaves
 *   `direct` first, and is put into the spill then). For `b` to go direct,
 *   the state must have come back to `direct` in between. `tryDirect` alone does that, and only while no commit is on its
 *   way into the spill and the spill is known to be empty: known from an answer of the thread that owns the file, which
 *   works off its calls one after the other, so that it counts every commit begun before; any begun after is still on its
 *   way, or was given up and has made the size unknown. Looking and changing the state is one synchronous step. So by then `a` has been moved. Else `b` goes to the
 *   spill too, behind `a`, and parcels are moved in the order of the spill, one after the other.
 * - Other batches were on their way to the primary store when one of them failed. Each goes by its own fate: it is
 *   committed there, or fails and leaves `direct` (again) before it is spilled. Their leads are not those of the one that
 *   failed, and what follows them is handed over after they are answered.
 * - A commit that was given up may be committed by the primary store late, even after its events were moved there. They are
 *   there under the same ids then, and it adds nothing.
 *
 * To come to an end under load, the last of the spill is moved while new commits wait at the gate. One that has waited
 * too long goes to the spill, and keeps `tryDirect` from succeeding.
 */
export class Intake {
  readonly #onChange: (change: SpillChange) => void;
  #state: SpillState = 'direct';
  #reason: string | null = null;
  #lasting: LastingFault | undefined;
  #size: SpillSize;
  #gate: Promise<void> | undefined;
  readonly #intoSpill = new Set<Promise<unknown>>();

  constructor(size: SpillSize, onChange: (change: SpillChange) => void) {
    this.#size = size;
    this.#onChange = onChange;
  }

  get state(): SpillState {
    return this.#state;
  }

  /** Of the primary store; `undefined` where it works, or may come back by itself. */
  get lasting(): LastingFault | undefined {
    return this.#lasting;
  }

  /** As of the newest answer of the spill. */
  get size(): SpillSize {
    return this.#size;
  }

  /** To be called with every answer of the spill, in order. */
  sized(size: SpillSize): void {
    this.#size = size;
  }

  /** A commit to the primary store has failed: from now on they go to the spill. */
  leaveDirect(reason: string, lasting?: LastingFault): void {
    if (this.#state === 'direct') this.#change('spilling', reason, lasting);
  }

  /** The primary store cannot take the spill. */
  fallBack(reason: string, lasting?: LastingFault): void {
    if (this.#state !== 'direct') this.#change('spilling', reason, lasting);
  }

  /** The spill is getting smaller. */
  drain(): void {
    if (this.#state === 'spilling') this.#change('draining', 'the primary store answers again');
  }

  /** Gives whether commits go to the primary store from now on. */
  tryDirect(): boolean {
    if (this.#intoSpill.size > 0 || !this.#size.isEmpty) return false;
    this.#change('direct', null);
    return true;
  }

  /** Counts the work, from its first moment to its last, as a commit on its way into the spill. */
  async intoSpill<Result>(work: () => Promise<Result>): Promise<Result> {
    const going = work();
    this.#intoSpill.add(going);
    try {
      return await going;
    } catch (error) {
      // Given up, it may still get there.
      this.#size = { ...this.#size, isEmpty: false };
      throw error;
    } finally {
      this.#intoSpill.delete(going);
    }
  }

  /** Resolves when the commits that are now on their way into the spill are there or have failed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#intoSpill);
  }

  /** Waits while the gate is closed, but not for ever. Whoever comes through looks at the state in the same breath. */
  async passGate(limitMs: number): Promise<void> {
    if (this.#gate === undefined) return;
    const over = new AbortController();
    const time = pause(limitMs, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.#gate, time]);
    over.abort();
  }

  /** Gives what opens it again. */
  closeGate(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return () => {
      this.#gate = undefined;
      resolve();
    };
  }

  #change(state: SpillState, reason: string | null, lasting?: LastingFault): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#lasting = lasting;
    this.#onChange({ state, reason, ...(lasting === undefined ? {} : { lasting }) });
  }
}
