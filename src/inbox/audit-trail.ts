import { AnonymousBudget } from '../audit/budget.ts';
import type { AuditDraft } from '../audit/entry.ts';
import { AuditGap } from '../audit/gap.ts';

/** Entries that wait for a commit at the most; beyond it they are counted. Far more than one commit interval brings. */
const MAX_WAITING = 2_000;

export interface AuditTrailOptions {
  readonly anonymousPerMinute: number;
  /** Asks for a commit soon. */
  readonly nudge: () => void;
  /** Once for each entry, written singly or counted. */
  readonly onEntry: (result: AuditDraft['result']) => void;
  /** With each entry that stands for many, once its minute is over. */
  readonly onCounted?: (sum: AuditDraft) => void;
  readonly now?: () => number;
}

/**
 * Entries that nobody waits for. Those of strangers share a budget and are counted beyond it; what could not be written
 * while the store was away is counted into an `audit.gap`, one of strangers' and one of all others. Nothing goes unaudited and nothing grows without end.
 */
export class AuditTrail {
  readonly #options: AuditTrailOptions;
  readonly #now: () => number;
  readonly #budget: AnonymousBudget;
  readonly #gap = new AuditGap();
  #waiting: AuditDraft[] = [];
  #storeAway = false;
  /** Without requests nobody would find out that the store is back: now and then the gap itself is tried. */
  #probe = false;

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#budget = new AnonymousBudget({ perMinute: options.anonymousPerMinute, now: this.#now });
  }

  /**
   * @param isProven the sender has proven a token, whatever became of its request: it needs no budget
   * @returns `false`: beyond the budget, so it is only counted, and its line in the log is not to be written either
   */
  record(draft: AuditDraft, isProven = false): boolean {
    this.#options.onEntry(draft.result);
    if (!isProven && this.#budget.offer(draft) === 'counted') return false;
    this.#wait(draft);
    return true;
  }

  /** For the group commit. While the store is away only the entries that wait are tried, and the gap stays open. */
  take(): AuditDraft[] {
    const taken = this.#waiting;
    this.#waiting = [];
    if (!this.#storeAway || this.#probe) taken.push(...this.#gap.takeGaps(this.#now()));
    this.#probe = false;
    return taken;
  }

  /** The commit that had these has failed. */
  lost(drafts: readonly AuditDraft[]): void {
    this.#storeAway = true;
    for (const draft of drafts) this.#gap.countGap(draft);
  }

  /** A commit has succeeded: what was lost can be written down now. */
  storeIsBack(): void {
    if (!this.#storeAway) return;
    this.#storeAway = false;
    this.#options.nudge();
  }

  /** To be called every few seconds: hands out the counts of the minute that is over. */
  tick(): void {
    this.#writeSums(this.#budget.flush(this.#now()));
    if (!this.#storeAway) return;
    this.#probe = true;
    this.#options.nudge();
  }

  /** All that is counted so far, to be written with the last commit. */
  drain(): void {
    this.#writeSums(this.#budget.drain(this.#now()));
  }

  /** While on, strangers' entries are only counted: the disk is nearly full. */
  setCountOnly(on: boolean): void {
    this.#budget.setCountOnly(on);
  }

  #writeSums(sums: readonly AuditDraft[]): void {
    for (const sum of sums) {
      this.#options.onCounted?.(sum);
      this.#wait(sum);
    }
  }

  #wait(draft: AuditDraft): void {
    if (this.#waiting.length >= MAX_WAITING) this.#gap.countGap(draft);
    else this.#waiting.push(draft);
    this.#options.nudge();
  }
}
