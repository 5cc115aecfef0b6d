import type { AuditDraft } from '../audit/entry.ts';
import { Problem, RowRefused, StoreUnavailable } from '../errors/problem.ts';
import { CommitQueue, leadOf } from './commit-queue.ts';
import { keepOtherwise, type RefusedRow, type Waiting } from './keep-otherwise.ts';
import type { Accept, AcceptResult, Batch, CommitResult, DeliveryOutcome, Quarantine, Store } from './store.ts';

/** Seconds after which a sender that was refused may try again. */
const RETRY_AFTER_SECONDS = 2;

export interface GroupCommitOptions {
  readonly store: Pick<Store, 'commit'>;
  /** Requests and outcomes waiting for a commit at the most. */
  readonly maxQueued: number;
  /** Requests and outcomes in one transaction at the most. */
  readonly maxBatch: number;
  /** Transactions at once. Default: 1. */
  readonly maxInFlight?: number;
  /** Audit entries that nobody waits for, to be written with the next commit. */
  readonly takeAudits: () => AuditDraft[];
  /** Those of a commit that failed. */
  readonly lostAudits: (drafts: readonly AuditDraft[]) => void;
  readonly onCommit?: (commit: {
    readonly seconds: number;
    readonly size: number;
    readonly result: CommitResult;
  }) => void;
  readonly onFailure?: (error: unknown) => void;
  /** Told of a row that the store refuses by itself, which was kept in another way. */
  readonly onSetApart?: (row: RefusedRow, error: RowRefused) => void;
}

/**
 * What arrives while as many transactions are under way as there may be shares the next one: one fsync serves all of them,
 * and the busier the service, the more share it. A failed one fails only those that were in it, and a row that the store
 * refuses only itself. Events of one lead never
 * stand in two transactions at once, which could end in the other order.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #maxInFlight: number;
  readonly #queue = new CommitQueue();
  /** A look at the queue is due. */
  #isScheduled = false;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #leadsInFlight = new Set<string>();

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#maxInFlight = options.maxInFlight ?? 1;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Resolves once the event, its deliveries and its audit entry are durable.
   * @throws Problem `overloaded` at once where the queue is full; `store-unavailable` where the commit failed. */
  accept(value: Accept): Promise<AcceptResult> {
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'accepts', value, resolve, reject }));
  }

  /** Resolves with the id under which the bytes are kept, once they are durable. Throws as `accept` does. */
  quarantine(value: Quarantine): Promise<string> {
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'quarantines', value, resolve, reject }));
  }

  /** Resolves once the outcome is durable. Throws as `accept` does, save that a full queue does not refuse it: their
   * number is bounded by the deliveries that run, and refusing them would keep those running. */
  outcome(value: DeliveryOutcome): Promise<void> {
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'outcomes', value, resolve, reject }));
  }

  /** Asks for a commit though nobody waits: audit entries stand ready. */
  nudge(): void {
    this.#schedule();
  }

  /** Resolves when all that was queued before has been tried. */
  async settle(): Promise<void> {
    this.#schedule();
    do {
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all(this.#inFlight);
    } while (this.#isScheduled || this.#inFlight.size > 0);
  }

  #enqueue(waiting: Waiting): void {
    if (waiting.kind !== 'outcomes' && this.#queue.length >= this.#options.maxQueued) {
      waiting.reject(new Problem('overloaded', { reason: 'commit-queue-full', retryAfter: RETRY_AFTER_SECONDS }));
      return;
    }
    this.#queue.push(waiting);
    this.#schedule();
  }

  /** At the end of this turn of the event loop, so that all requests it has read share the commit. */
  #schedule(): void {
    if (this.#isScheduled || this.#inFlight.size >= this.#maxInFlight) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#startCommits();
    });
  }

  #startCommits(): void {
    while (this.#inFlight.size < this.#maxInFlight) {
      const parts = this.#queue.take(this.#options.maxBatch, this.#leadsInFlight);
      const audits = this.#options.takeAudits();
      if (parts.length === 0 && audits.length === 0) return;
      const leads = parts.map(leadOf).filter((lead) => lead !== null);
      for (const lead of leads) this.#leadsInFlight.add(lead);
      const commit = this.#commit(parts, audits).finally(() => {
        for (const lead of leads) this.#leadsInFlight.delete(lead);
        this.#inFlight.delete(commit);
        // Whoever came meanwhile found no room, or its lead under way.
        this.#schedule();
      });
      this.#inFlight.add(commit);
    }
  }

  async #commit(parts: readonly Waiting[], audits: AuditDraft[]): Promise<void> {
    const started = performance.now();
    let result: CommitResult;
    try {
      result = await this.#options.store.commit(toBatch(parts, audits));
    } catch (error) {
      if (error instanceof RowRefused) await this.#commitApart(parts, audits, error);
      else this.#fail(parts, audits, error);
      return;
    }
    answer(parts, result);
    this.#options.onCommit?.({ seconds: (performance.now() - started) / 1_000, size: parts.length, result });
  }

  /** One row must not keep out the others: halves are tried, in order, until it stands alone. */
  async #commitApart(parts: readonly Waiting[], audits: AuditDraft[], error: RowRefused): Promise<void> {
    if (parts.length > 0 && audits.length > 0) {
      await this.#commit(parts, []);
      await this.#commit([], audits);
    } else if (parts.length + audits.length > 1) {
      const [half, auditHalf] = [Math.ceil(parts.length / 2), Math.ceil(audits.length / 2)];
      await this.#commit(parts.slice(0, half), audits.slice(0, auditHalf));
      await this.#commit(parts.slice(half), audits.slice(auditHalf));
    } else {
      const [part] = parts;
      const otherwise = part && keepOtherwise(part);
      if (otherwise === undefined) {
        this.#fail(parts, audits, error);
        return;
      }
      this.#options.onSetApart?.(otherwise.row, error);
      await this.#commit([otherwise.kept], []);
    }
  }

  #fail(parts: readonly Waiting[], audits: AuditDraft[], error: unknown): void {
    this.#options.lostAudits(audits);
    for (const { reject } of parts) reject(toProblem(error));
    this.#options.onFailure?.(error);
  }
}

function toBatch(parts: readonly Waiting[], audits: AuditDraft[]): Batch {
  const accepts: Accept[] = [];
  const quarantines: Quarantine[] = [];
  const outcomes: DeliveryOutcome[] = [];
  for (const part of parts) {
    if (part.kind === 'accepts') accepts.push(part.value);
    else if (part.kind === 'quarantines') quarantines.push(part.value);
    else outcomes.push(part.value);
  }
  return { accepts, quarantines, outcomes, audits };
}

/** Results stand in the order of their kind, as `toBatch` laid them. */
function answer(parts: readonly Waiting[], result: CommitResult): void {
  const accepted = result.accepted.values();
  const quarantined = result.quarantined.values();
  for (const part of parts) {
    if (part.kind === 'accepts') settle(part, accepted.next().value);
    else if (part.kind === 'quarantines') settle(part, quarantined.next().value);
    else if (result.outcomesLeft === true)
      part.reject(toProblem(new StoreUnavailable('the store that the delivery belongs to is away')));
    else part.resolve();
  }
}

function settle<Value>(
  part: { readonly resolve: (value: Value) => void; readonly reject: (error: Error) => void },
  value: Value | undefined,
): void {
  if (value === undefined)
    part.reject(toProblem(new StoreUnavailable('the store answered for fewer than it was given')));
  else part.resolve(value);
}

function toProblem(cause: unknown): Problem {
  return new Problem('store-unavailable', { retryAfter: RETRY_AFTER_SECONDS, cause });
}
