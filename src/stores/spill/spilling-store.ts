import type { ChainHead } from '../../audit/entry.ts';
import type { Tampering } from '../../audit/tampering.ts';
import { type LastingFault, lastingOf, RowRefused, StoreUnavailable } from '../../errors/problem.ts';
import type {
  AuditCursor,
  Batch,
  ClaimRequest,
  CommitResult,
  DeadFilter,
  DiscardRequest,
  EventFilter,
  EventKey,
  HandlerRoute,
  PruneRequest,
  QuarantineState,
  ReplayRequest,
  Store,
  StoreCondition,
} from '../../inbox/store.ts';
import type { SqliteStore } from '../sqlite/sqlite-store.ts';
import { Drainer, type DrainTimes, type SpillSource } from './drainer.ts';
import { Intake, type SpillChange } from './intake.ts';
import { limitTime } from './limit-time.ts';
import type { MoveTarget, MoveWays } from './move-parcel.ts';
import { openSpill, type SpillOptions } from './open-spill.ts';

/** Milliseconds after which a commit goes to the spill: a sender waits for a few seconds only. */
const COMMIT_LIMIT_MS = 2_000;
/** Milliseconds for which a commit waits while the last of the spill is moved. */
const GATE_LIMIT_MS = 2_000;
/** Milliseconds for what a look asks the primary store. */
const LOOK_LIMIT_MS = 2_000;
/** Milliseconds for moving what is there when the store is closed. */
const CLOSE_LIMIT_MS = 1_000;
/** Milliseconds without a spilled commit after which its audit chain is not gone on with: the primary store may remove a
 * chain as soon as its last entry is a day old, and nothing may follow it then. */
const CHAIN_LASTS_MS = 12 * 3_600_000;

const KEPT = 'events are kept on this machine';
const AWAY = `PostgreSQL cannot commit; ${KEPT}`;
const MOVING = 'events kept on this machine are being moved to PostgreSQL';

export type PrimaryStore = Store & MoveTarget;

/** Whether waiting may bring a store back. */
export type StoreFault = 'outage' | 'lasting';

export interface SpillTimes extends DrainTimes {
  readonly commitLimitMs?: number;
  readonly gateLimitMs?: number;
}

export interface SpillingOptions {
  readonly primary: PrimaryStore;
  /** Told of each change of state, or of the reason for it. */
  readonly onChange?: (change: SpillChange) => void;
  readonly onRefused?: MoveWays['onRefused'];
  readonly times?: SpillTimes;
}

type Spill = SpillSource &
  Pick<SqliteStore, 'spillCommit' | 'spillCheck' | 'spillHeads' | 'endChains' | 'onTampered' | 'close' | 'location'>;

/**
 * A store whose commits go to a file on this machine while it cannot commit itself, and from there into it once it can.
 * Everything but commits goes to the primary store alone.
 */
export class SpillingStore implements Store {
  readonly location: string;
  readonly #primary: PrimaryStore;
  readonly #spill: Spill;
  readonly #intake: Intake;
  readonly #drainer: Drainer;
  readonly #commitLimitMs: number;
  readonly #gateLimitMs: number;
  readonly #listeners = new Set<() => void>();
  #lastSpilledAt = 0;
  #closed = false;

  private constructor(spill: Spill, intake: Intake, { primary, onRefused, times = {} }: SpillingOptions) {
    this.location = primary.location;
    this.#primary = primary;
    this.#spill = spill;
    this.#intake = intake;
    this.#commitLimitMs = times.commitLimitMs ?? COMMIT_LIMIT_MS;
    this.#gateLimitMs = times.gateLimitMs ?? GATE_LIMIT_MS;
    const onMoved = (): void => {
      for (const listener of this.#listeners) listener();
    };
    this.#drainer = new Drainer({ primary, spill, intake, onMoved, onRefused, times });
  }

  /** What an earlier process has left in the spill is moved first.
   * @throws SettingsError where the spill's file cannot be used */
  static async open({ file, maxBytes, auditKey, ...options }: SpillOptions & SpillingOptions): Promise<SpillingStore> {
    const spill = await openSpill({ file, maxBytes, auditKey });
    return SpillingStore.over(spill, options);
  }

  /** Over a spill that is open; it is closed with this store. */
  static async over(spill: Spill, options: SpillingOptions): Promise<SpillingStore> {
    const size = await spill.spillSize();
    const store = new SpillingStore(spill, new Intake(size, options.onChange ?? (() => undefined)), options);
    if (!size.isEmpty) store.#leaveDirect('an earlier process has left events in the spill');
    return store;
  }

  /** Events that are on this machine's disk alone. */
  get spilledEvents(): number {
    return this.#intake.size.events;
  }

  /** Of the primary store, as of the newest commit or try to move the spill. */
  get fault(): StoreFault | undefined {
    if (this.#intake.state !== 'spilling') return undefined;
    return this.#intake.lasting === undefined ? 'outage' : 'lasting';
  }

  async commit(batch: Batch): Promise<CommitResult> {
    if (this.#closed) throw new StoreUnavailable('the store is closed');
    await this.#intake.passGate(this.#gateLimitMs);
    // From here to the first call of either store nothing may be awaited, see Intake.
    return this.#intake.state === 'direct' ? this.#commitDirect(batch) : this.#commitSpilled(batch);
  }

  async #commitDirect(batch: Batch): Promise<CommitResult> {
    try {
      return await limitTime(this.#primary.commit(batch), this.#commitLimitMs, 'PostgreSQL did not commit');
    } catch (error) {
      if (error instanceof RowRefused) throw error;
      this.#leaveDirect(error instanceof Error ? error.message : String(error), lastingOf(error));
      return this.#commitSpilled(batch);
    }
  }

  #leaveDirect(reason: string, lasting?: LastingFault): void {
    this.#intake.leaveDirect(reason, lasting);
    this.#drainer.start();
  }

  /** Outcomes belong to deliveries in the primary store. */
  async #commitSpilled({ outcomes, ...batch }: Batch): Promise<CommitResult> {
    const { accepts, quarantines, audits } = batch;
    if (outcomes.length > 0 && accepts.length + quarantines.length + audits.length === 0)
      throw new StoreUnavailable('PostgreSQL, where the deliveries are, is away');
    return this.#intake.intoSpill(async () => {
      const beginsAnew = Math.abs(Date.now() - this.#lastSpilledAt) > CHAIN_LASTS_MS;
      if (beginsAnew) await this.#spill.endChains();
      const { result, size } = await this.#spill.spillCommit({ ...batch, outcomes: [] });
      this.#lastSpilledAt = Date.now();
      this.#intake.sized(size);
      // Nothing can be claimed before it is moved.
      return { ...result, pending: 0, ...(outcomes.length === 0 ? {} : { outcomesLeft: true }) };
    });
  }

  async check(): Promise<StoreCondition> {
    if (this.#closed) throw new StoreUnavailable('the store is closed');
    let { lasting } = this.#intake;
    if (this.#intake.state === 'direct') {
      try {
        return await limitTime(this.#primary.check(), LOOK_LIMIT_MS, 'PostgreSQL did not answer');
      } catch (error) {
        // The spill decides.
        lasting = lastingOf(error);
      }
    }
    await this.#spill.spillCheck();
    if (this.#intake.state === 'draining') return { degraded: MOVING };
    return { degraded: lasting === undefined ? AWAY : `${lasting.what}, which waiting does not fix; ${KEPT}` };
  }

  /** A chain that is moved in parts stands twice; its newer head counts. */
  async auditHeads(): Promise<ChainHead[]> {
    if (this.#intake.state === 'direct') return this.#primary.auditHeads();
    const [there, here] = await Promise.all([
      limitTime(this.#primary.auditHeads(), LOOK_LIMIT_MS, 'PostgreSQL did not answer').catch(() => []),
      this.#spill.spillHeads(),
    ]);
    const heads = new Map(there.map((head) => [head.writer, head]));
    for (const head of here) {
      if (head.seq > (heads.get(head.writer)?.seq ?? 0)) heads.set(head.writer, head);
    }
    return [...heads.values()];
  }

  /** Audit entries stay while some of the spill's are still to come: their chain would be removed under them. */
  prune = (request: PruneRequest) =>
    this.#primary.prune(this.#intake.state === 'direct' ? request : { ...request, auditBefore: 0, anonymousBefore: 0 });

  onForeignChange(listener: () => void): void {
    this.#listeners.add(listener);
    this.#primary.onForeignChange(listener);
  }

  onTampered(listener: (found: Tampering) => void): void {
    this.#primary.onTampered(listener);
    this.#spill.onTampered(listener);
  }

  claim = (request: ClaimRequest) => this.#primary.claim(request);
  recoverLeases = (now: number, maxAttempts: number) => this.#primary.recoverLeases(now, maxAttempts);
  registerHandlers = (handlers: readonly HandlerRoute[]) => this.#primary.registerHandlers(handlers);
  registeredHandlers = () => this.#primary.registeredHandlers();
  counts = () => this.#primary.counts();
  orphans = () => this.#primary.orphans();
  listEvents = (filter: EventFilter) => this.#primary.listEvents(filter);
  findEvent = (id: string) => this.#primary.findEvent(id);
  listDead = (filter: DeadFilter) => this.#primary.listDead(filter);
  replay = (request: ReplayRequest) => this.#primary.replay(request);
  discard = (request: DiscardRequest) => this.#primary.discard(request);
  listQuarantine = (filter: { readonly limit: number; readonly state?: QuarantineState }) =>
    this.#primary.listQuarantine(filter);
  findQuarantined = (id: string) => this.#primary.findQuarantined(id);
  openAuditSnapshot = () => this.#primary.openAuditSnapshot();
  tailAudit = (limit: number, after?: AuditCursor) => this.#primary.tailAudit(limit, after);
  firstSeen = (fingerprints: readonly string[], now: number) => this.#primary.firstSeen(fingerprints, now);
  findFirstSeen = (fingerprints: readonly string[]) => this.#primary.findFirstSeen(fingerprints);
  holdLease = (name: string, owner: string, forMs: number) => this.#primary.holdLease(name, owner, forMs);
  releaseLease = (name: string, owner: string) => this.#primary.releaseLease(name, owner);
  readDocument = (name: string) => this.#primary.readDocument(name);
  listDocuments = (prefix: string, limit: number) => this.#primary.listDocuments(prefix, limit);
  writeDocument = (name: string, text: string, version: number | null) =>
    this.#primary.writeDocument(name, text, version);
  dropDocument = (name: string) => this.#primary.dropDocument(name);
  findByKeys = (keys: readonly EventKey[], now: number) => this.#primary.findByKeys(keys, now);

  /** What is in the spill is moved where that is quickly done; else it stays there for the next start. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#drainer.finish(CLOSE_LIMIT_MS);
    const closed = await Promise.allSettled([this.#primary.close(), this.#spill.close()]);
    for (const result of closed) if (result.status === 'rejected') throw result.reason;
  }
}
