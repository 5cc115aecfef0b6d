import { setTimeout as pause } from 'node:timers/promises';
import { lastingOf } from '../../errors/problem.ts';
import type { Store } from '../../inbox/store.ts';
import type { SqliteStore } from '../sqlite/sqlite-store.ts';
import type { Intake } from './intake.ts';
import { limitTime } from './limit-time.ts';
import { type MoveTarget, type MoveWays, moveParcel } from './move-parcel.ts';
import { isEmptyParcel, type Parcel, type ParcelLimits } from './parcel.ts';

export type SpillSource = Pick<SqliteStore, 'readParcel' | 'forgetParcel' | 'spillSize'>;

/** A parcel holds the work of about a batch: more would keep others' commits waiting for its locks. */
export const PARCEL: ParcelLimits = { rows: 500, bytes: 16 * 1024 * 1024 };

/** Milliseconds between two looks whether the primary store is back, and for each look. */
const PROBE_EVERY_MS = 500;
const PROBE_LIMIT_MS = 2_000;
/** Milliseconds for one parcel; above the primary store's own limits. */
const MOVE_LIMIT_MS = 10_000;
/** Milliseconds for which new commits are kept waiting while the last of the spill is moved. */
const HAND_OVER_MS = 1_500;

export interface DrainTimes {
  readonly probeEveryMs?: number;
  readonly probeLimitMs?: number;
  readonly moveLimitMs?: number;
  readonly handOverMs?: number;
}

export interface DrainOptions {
  readonly primary: MoveTarget & Pick<Store, 'check'>;
  readonly spill: SpillSource;
  readonly intake: Intake;
  readonly onMoved: (parcel: Parcel) => void;
  readonly onRefused?: MoveWays['onRefused'];
  readonly times?: DrainTimes;
}

/** Looks for the primary store while commits go to the spill, and moves the spill there once it answers. */
export class Drainer {
  readonly #options: DrainOptions;
  readonly #times: Required<DrainTimes>;
  readonly #pause = new AbortController();
  readonly #stop = new AbortController();
  /** Smaller after a parcel that was not taken in, as over a slow link. */
  #limits = PARCEL;
  /** From `start` until a look finds the state to be `direct`. */
  #isRunning = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#times = {
      probeEveryMs: PROBE_EVERY_MS,
      probeLimitMs: PROBE_LIMIT_MS,
      moveLimitMs: MOVE_LIMIT_MS,
      handOverMs: HAND_OVER_MS,
      ...options.times,
    };
  }

  /** To be called whenever commits begin to go to the spill. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** One last try, which ends within `limitMs`; no other begins. What is not moved by then stays in the spill. */
  async finish(limitMs: number): Promise<void> {
    this.#pause.abort();
    const over = new AbortController();
    const time = pause(limitMs, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.#running, time]);
    over.abort();
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { intake } = this.#options;
    for (;;) {
      await this.#wait();
      const isLast = this.#pause.signal.aborted;
      await this.#try();
      // In one breath with the look at the state: whoever leaves `direct` after it finds that nobody is at work.
      if (isLast || intake.state === 'direct') {
        this.#isRunning = false;
        return;
      }
    }
  }

  async #try(): Promise<void> {
    const { primary, intake } = this.#options;
    try {
      await limitTime(primary.check(), this.#times.probeLimitMs, 'the primary store did not answer');
      while (intake.state !== 'direct') await this.#moveNext();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      intake.fallBack(error instanceof Error ? error.message : String(error), lastingOf(error));
    }
  }

  async #moveNext(): Promise<void> {
    this.#stop.signal.throwIfAborted();
    const parcel = await this.#options.spill.readParcel(this.#limits);
    // What is left fits one parcel.
    if (parcel.isWhole) await this.#handOver();
    else await this.#move(parcel);
  }

  /** Nothing new is committed meanwhile, save by those who have waited too long. */
  async #handOver(): Promise<void> {
    const { spill, intake } = this.#options;
    const openGate = intake.closeGate();
    try {
      const until = performance.now() + this.#times.handOverMs;
      await intake.settled();
      do {
        const parcel = await spill.readParcel(this.#limits);
        if (isEmptyParcel(parcel)) intake.sized(await spill.spillSize());
        else await this.#move(parcel);
      } while (!intake.tryDirect() && performance.now() < until);
    } finally {
      openGate();
    }
  }

  async #move(parcel: Parcel): Promise<void> {
    const { primary, spill, intake, onMoved, onRefused } = this.#options;
    const { rows, bytes } = this.#limits;
    this.#limits = { rows: Math.ceil(rows / 2), bytes: Math.ceil(bytes / 2) };
    const moveIn = (part: Parcel): Promise<void> => {
      this.#stop.signal.throwIfAborted();
      return limitTime(primary.moveIn(part), this.#times.moveLimitMs, 'a parcel of the spill was not taken in');
    };
    const forget: MoveWays['forget'] = (gone, refused) => spill.forgetParcel(gone, refused);
    const size = await moveParcel({ moveIn, forget, onRefused }, parcel);
    this.#limits = { rows: Math.min(PARCEL.rows, rows * 2), bytes: Math.min(PARCEL.bytes, bytes * 2) };
    intake.sized(size);
    intake.drain();
    onMoved(parcel);
  }

  async #wait(): Promise<void> {
    try {
      await pause(this.#times.probeEveryMs, undefined, { signal: this.#pause.signal, ref: false });
    } catch {
      // Aborted: this is the last try.
    }
  }
}
