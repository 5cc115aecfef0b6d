import type { AuditDraft, AuditEntry, ChainHead } from '../audit/entry.ts';
import type { Tampering } from '../audit/tampering.ts';

/**
 * The contract of a store. One suite (test/contract) is run over each implementation and is what counts.
 *
 * Promised by every implementation:
 * - `commit` is one transaction: every part of the batch is durable when it resolves, none is when it rejects with
 *   `StoreUnavailable`, save where the outcome of the commit itself is unknown; sending the same ids again is harmless.
 * - A commit that rejects with `RowRefused` names a row that comes again each time as the fault: the rest of its batch
 *   succeeds without that row.
 * - Two events with one live deduplication key, in one batch, in two batches or in two processes at once: exactly one
 *   is accepted, every other one is answered with the id of the first.
 * - `seq` and `hash` of audit entries are given inside the transaction, from the head as it stands there.
 * - Deliveries of one handler for one lead are claimed in the order accepted, as described at `claim`.
 * - No method waits longer than a few seconds; what cannot be done by then rejects with `StoreUnavailable`. Those that
 *   nobody's answer waits for (replay, listing, snapshots) may take minutes on a large store.
 */
export interface Store {
  /** Where the data lies, for people: a file name or a URL without its password. */
  readonly location: string;

  commit(batch: Batch): Promise<CommitResult>;

  /** Leases up to `limit` due deliveries for each handler named. Never returns one that an earlier unfinished one of
   * the same handler and lead still holds back. */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /** Takes back leases whose process is gone or whose time is over; such an attempt stays counted, because a delivery
   * that kills the process must end dead one day. Returns how many. The first call of a process also brings back due times
   * and holds that were written by a clock that was set back since. */
  recoverLeases(now: number, maxAttempts: number): Promise<number>;

  /** Remembers which handlers take which types, so that another process (the command line) can route a replay. */
  registerHandlers(handlers: readonly HandlerRoute[]): Promise<void>;
  registeredHandlers(): Promise<HandlerRoute[]>;

  /** Cheap at any size. */
  counts(): Promise<StoreCounts>;
  /** A transaction that writes nothing of worth; rejects where the store could not commit now. */
  check(): Promise<StoreCondition>;

  /** Newest first. */
  listEvents(filter: EventFilter): Promise<StoredEvent[]>;
  /** By id, or by one that was answered for the same content while the store was away; `undefined` where none is. */
  findEvent(
    id: string,
  ): Promise<(StoredEvent & { readonly body: Uint8Array; readonly runs: StoredDelivery[] }) | undefined>;
  /** Deliveries that wait or are dead for handlers that are registered no more. Each count ends at 100,000. */
  orphans(): Promise<Orphans>;
  /** Dead ones, and orphaned ones that wait. Newest first. */
  listDead(filter: DeadFilter): Promise<StoredDelivery[]>;
  /** Sets matching finished deliveries (done, dead and discarded, or only dead) to pending, unordered, with attempts from 0,
   * and adds deliveries for handlers that were registered since; a running, pending or orphaned one is left as it is. Writes
   * the audit entry with the counts. */
  replay(request: ReplayRequest): Promise<ReplayResult>;
  /** Ends matching deliveries that are dead, or orphaned and waiting, as discarded. Writes the audit entry with the counts. */
  discard(request: DiscardRequest): Promise<DiscardResult>;

  /** Newest first, without bodies. */
  listQuarantine(filter: { readonly limit: number; readonly state?: QuarantineState }): Promise<QuarantinedBody[]>;
  findQuarantined(id: string): Promise<(QuarantinedBody & { readonly body: Uint8Array }) | undefined>;

  /** The audit log as it stands now, whatever is written meanwhile: for verification and export. A few at once. */
  openAuditSnapshot(): Promise<AuditSnapshot>;
  /** The newest entries by time of commit, oldest of them first; or those that came after an earlier tail, none of
   * which is ever passed over. */
  tailAudit(limit: number, after?: AuditCursor): Promise<AuditTail>;
  /** The newest entry of each chain, save of those that a later chain's first entry has named: kept elsewhere, they hold
   * the whole log fast. */
  auditHeads(): Promise<ChainHead[]>;

  /** Tells of a log that is not as the service has left it, also of what was found before. An entry says so too. */
  onTampered(listener: (found: Tampering) => void): void;

  /** One small step of pruning; call again while `more`. */
  prune(request: PruneRequest): Promise<PruneResult>;

  /** When each secret was first seen, by fingerprint; unknown ones are remembered as seen now. */
  firstSeen(fingerprints: readonly string[], now: number): Promise<Map<string, number>>;
  /** The same for whoever only looks: unknown ones are left out, and stay unknown. */
  findFirstSeen(fingerprints: readonly string[]): Promise<Map<string, number>>;

  /** Takes or renews the lease of this name for so many milliseconds from now by the store's own clock; gives whether
   * `owner` holds it then. Of several processes that ask at once, one does. For jobs that one process at a time may run. */
  holdLease(name: string, owner: string, forMs: number): Promise<boolean>;
  /** Gives it up; nothing where another owner holds it. */
  releaseLease(name: string, owner: string): Promise<void>;

  /** A small text that the service keeps for itself, by name: how far a rotation or a reconciliation has come. */
  readDocument(name: string): Promise<StoredDocument | undefined>;
  /** By name, those whose name begins so; at most `limit`. */
  listDocuments(prefix: string, limit: number): Promise<StoredDocument[]>;
  /**
   * Writes one as a whole where it stands at `version` still: 0, there is none; `null`, whatever stands there. Gives whether
   * it did: of several processes that write over the same version at once, one does.
   *
   * @throws RangeError above 64 KiB, and where the text holds NUL or half a character, which not every store can keep; so
   * do all of these for such a name, or one of more than 255 bytes
   */
  writeDocument(name: string, text: string, version: number | null): Promise<boolean>;
  /** Nothing where there is none. */
  dropDocument(name: string): Promise<void>;

  /**
   * For each key the id of the event that holds it at `now`, epoch milliseconds: the one a duplicate would be told.
   *
   * @throws RangeError where a key is not 32 bytes long
   */
  findByKeys(keys: readonly EventKey[], now: number): Promise<(string | undefined)[]>;

  /** Calls back within a second after another process has made deliveries pending, and now and then besides. */
  onForeignChange(listener: () => void): void;

  /** Commits nothing new; ends within a few seconds. Rejects with `StoreUnavailable` where a system call that does not
   * end keeps a thread alive. */
  close(): Promise<void>;
}

export interface Batch {
  readonly accepts: readonly Accept[];
  readonly quarantines: readonly Quarantine[];
  readonly outcomes: readonly DeliveryOutcome[];
  readonly audits: readonly AuditDraft[];
}

export interface CommitResult {
  /** One for each of `batch.accepts`, in order. */
  readonly accepted: readonly AcceptResult[];
  /** One for each of `batch.quarantines`, in order: the id under which the bytes are kept. */
  readonly quarantined: readonly string[];
  /** Deliveries that became pending in this commit, due or held. */
  readonly pending: number;
  /** Set where everything but the outcomes is durable: they belong to a store that is away now, and have to be sent again. */
  readonly outcomesLeft?: true;
  /** The chain's head after this commit. */
  readonly head: ChainHead;
}

export interface AcceptResult {
  readonly status: 'accepted' | 'duplicate';
  readonly id: string;
}

export interface NewEvent {
  /** UUID v7. */
  readonly id: string;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  /** Canonical type, or the custom label as it came. */
  readonly type: string;
  readonly rawType: string | null;
  /** Epoch milliseconds by the payload's own clock. */
  readonly timestamp: number | null;
  /** The lead's address, trimmed and lower-cased. */
  readonly lead: string | null;
  readonly campaignId: string | null;
  readonly principal: string;
  readonly source: EventSource;
  /** SHA-256, 32 bytes. */
  readonly dedupKey: Uint8Array;
  /** Epoch milliseconds after which the same content counts as new. */
  readonly dedupUntil: number;
  /** Exactly as it came. */
  readonly body: Uint8Array;
  /** The WHATWG name of its character set; `null`: UTF-8. */
  readonly charset: string | null;
}

/** What two events have in common where they are one: the timestamp is part of the content, and the index of keys begins
 * with it. */
export type EventKey = Pick<NewEvent, 'timestamp' | 'dedupKey'>;

export type EventSource = 'webhook' | 'quarantine' | 'reconcile';

/** An audit draft whose outcome only the commit knows. */
export interface PendingAudit {
  readonly draft: AuditDraft;
  /** `monotonicMilliseconds()` when the request began; the commit turns it into `durationMs`. */
  readonly startedAt: number;
}

export interface Accept {
  readonly event: NewEvent;
  readonly routes: readonly DeliveryRoute[];
  readonly audit: PendingAudit;
  /** The quarantined body this event was made from, which is marked as retried in the same transaction. */
  readonly quarantineId?: string;
}

export interface DeliveryRoute {
  readonly handler: string;
  /** Whether deliveries for one lead wait for each other. */
  readonly ordered: boolean;
}

export interface HandlerRoute extends DeliveryRoute {
  /** Canonical types, custom labels, or `*`. */
  readonly events: readonly string[];
}

export type QuarantineState = 'held' | 'retried';

export interface Quarantine {
  readonly id: string;
  readonly receivedAt: number;
  /** A stable word: one of `UnreadableReason`, `too-old` or `not-storable`. */
  readonly reason: string;
  readonly principal: string;
  readonly contentType: string | null;
  /** Hex; the same bytes again are counted, not kept twice. */
  readonly bodySha256: string;
  readonly body: Uint8Array;
  readonly audit: PendingAudit;
}

export interface QuarantinedBody {
  readonly id: string;
  /** Epoch milliseconds, first time. */
  readonly receivedAt: number;
  readonly lastReceivedAt: number;
  readonly times: number;
  readonly reason: string;
  readonly principal: string;
  readonly contentType: string | null;
  readonly bodySha256: string;
  readonly bytes: number;
  readonly state: QuarantineState;
  /** The event it became. */
  readonly eventId: string | null;
}

/** `discarded`: ended by an operator. */
export type DeliveryState = 'pending' | 'running' | 'done' | 'dead' | 'discarded';

/** How one attempt ended. */
export interface DeliveryOutcome {
  readonly deliveryId: number;
  /** The lease it was claimed with; an outcome under a lost lease changes nothing but is audited. */
  readonly lease: string;
  readonly at: number;
  readonly next:
    | { readonly state: 'done' }
    | { readonly state: 'dead'; readonly error: string }
    /** Failed, to be tried again at `retryAt`; from its first failure it holds its successors until `holdMs` later at most. */
    | { readonly state: 'pending'; readonly error: string; readonly retryAt: number; readonly holdMs: number }
    /** Given back unharmed: the attempt is not counted, and it is due at once. */
    | { readonly state: 'released' };
  readonly audit: AuditDraft;
}

export interface ClaimRequest {
  readonly now: number;
  /** Free places of each handler. */
  readonly places: readonly { readonly handler: string; readonly limit: number }[];
  /** Names this claim; each delivery claimed carries it. */
  readonly lease: string;
  /** Epoch milliseconds. */
  readonly leaseUntil: number;
}

export interface ClaimResult {
  readonly deliveries: readonly ClaimedDelivery[];
  /** When the next delivery of the handlers named falls due, epoch milliseconds; `null`: none is waiting for a time.
   * At or before now where a limit cut the claim short. */
  readonly nextDueAt: number | null;
}

export interface ClaimedDelivery {
  readonly deliveryId: number;
  readonly handler: string;
  readonly lease: string;
  readonly eventId: string;
  readonly type: string;
  readonly rawType: string | null;
  readonly receivedAt: number;
  readonly timestamp: number | null;
  readonly lead: string | null;
  /** From 1, this one counted. */
  readonly attempt: number;
  /** A predecessor for the same lead is still failing. */
  readonly outOfOrder: boolean;
  readonly replay: boolean;
  readonly body: Uint8Array;
  /** As of the event. */
  readonly charset: string | null;
}

export interface StoredDocument {
  readonly name: string;
  readonly text: string;
  /** From 1; one more with each write. */
  readonly version: number;
  /** Milliseconds since it was written, by the store's own clock. */
  readonly ageMs: number;
}

export interface StoreCondition {
  /** Why events are kept on this machine alone for now, in words without paths or addresses; `null`: they are not. */
  readonly degraded: string | null;
}

export interface StoreCounts {
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
  /** Epoch milliseconds at which the oldest pending delivery was made; `null`: none is pending. */
  readonly oldestPendingAt: number | null;
  readonly quarantined: number;
}

export interface StoredEvent {
  readonly id: string;
  readonly receivedAt: number;
  readonly type: string;
  readonly rawType: string | null;
  readonly timestamp: number | null;
  readonly lead: string | null;
  readonly campaignId: string | null;
  readonly principal: string;
  readonly source: EventSource;
  /** The WHATWG name of its body's character set; `null`: UTF-8. */
  readonly charset: string | null;
  readonly bytes: number;
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

export interface StoredDelivery {
  readonly eventId: string;
  readonly type: string;
  readonly lead: string | null;
  readonly handler: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** Epoch milliseconds; `null` while another delivery holds it back or when it is finished. */
  readonly nextAt: number | null;
  readonly lastError: string | null;
  readonly updatedAt: number;
  /** Pending or dead, and its handler is registered no more. */
  readonly orphaned: boolean;
}

export interface EventFilter {
  readonly limit: number;
  readonly ids?: readonly string[];
  readonly type?: string;
  readonly lead?: string;
  readonly campaign?: string;
  /** Epoch milliseconds of receipt, inclusive. */
  readonly since?: number;
  /** Epoch milliseconds of receipt, exclusive. */
  readonly until?: number;
  /** Events with at least one delivery in this state. */
  readonly state?: DeliveryState;
}

export interface DeadFilter {
  readonly limit: number;
  readonly handler?: string;
  readonly eventIds?: readonly string[];
  /** Only orphaned ones, or only others. */
  readonly orphaned?: boolean;
}

export interface ReplayRequest {
  readonly filter: EventFilter;
  /** Only dead deliveries, or all finished ones. */
  readonly only: 'dead' | 'finished';
  readonly handler?: string;
  readonly now: number;
  readonly audit: AuditDraft;
}

export interface DiscardRequest {
  readonly filter: EventFilter;
  readonly handler?: string;
  readonly now: number;
  readonly audit: AuditDraft;
}

export interface DiscardResult {
  readonly events: number;
  readonly deliveries: number;
}

export interface ReplayResult extends DiscardResult {
  /** Matching deliveries that were left alone because their handler is registered no more. */
  readonly orphaned: number;
}

export interface Orphans {
  readonly handlers: readonly OrphanedHandler[];
  /** As in `StoreCounts`, of deliveries whose handler is registered. */
  readonly oldestPendingAt: number | null;
}

export interface OrphanedHandler {
  readonly handler: string;
  readonly pending: number;
  readonly dead: number;
}

export interface AuditSnapshot {
  /** The next entries in order of writer and seq, after a position. */
  read(after: AuditPosition | undefined, limit: number): Promise<AuditEntry[]>;
  /** The next bodies after a position: those of events, then those in quarantine. */
  bodies(after: BodyPosition | undefined, limits: BodyLimits): Promise<StoredBody[]>;
  describe(): Promise<LogDescription>;
  close(): Promise<void>;
}

/** What the store keeps beside the entries. */
export interface LogDescription {
  /** The newest entry of every chain by the chain's own row; nothing of it is checked. */
  readonly heads: readonly ChainHead[];
  /** Whether events or quarantined bodies are stored. */
  readonly isUsed: boolean;
}

export interface BodyPosition {
  readonly kind: 'event' | 'quarantine';
  readonly seq: number;
}

export interface BodyLimits {
  readonly rows: number;
  /** Of all bodies; the first is read however large it is. */
  readonly bytes: number;
}

export interface StoredBody extends BodyPosition {
  readonly id: string;
  /** Epoch milliseconds, the last time. */
  readonly receivedAt: number;
  readonly body: Uint8Array;
}

export interface AuditPosition {
  readonly writer: string;
  readonly seq: number;
}

export interface AuditTail {
  readonly entries: AuditEntry[];
  /** To be given for the entries after these. */
  readonly cursor: AuditCursor;
}

/** How far a reader of the log has come: opaque, save `start`, which has the oldest entries follow. Of one store two can be
 * compared (`hasReached` in cli/audit-export.ts). */
export type AuditCursor = 'start' | number | ReadonlyMap<number, number>;

export interface PruneRequest {
  readonly now: number;
  /** Events received before this go, with their deliveries and keys, where each delivery is done, discarded or orphaned. */
  readonly eventsBefore: number;
  /** Audit entries before this go, from the start of each chain. */
  readonly auditBefore: number;
  /** The same for chains of strangers' entries, where it is later. Default: `auditBefore`. */
  readonly anonymousBefore?: number;
  /** Rows at the most. */
  readonly limit: number;
  readonly cursor?: PruneCursor;
}

/** Where the last step stopped; opaque to callers. */
export type PruneCursor = { readonly eventsAfter: number };

export interface PruneResult {
  readonly events: number;
  readonly audits: number;
  readonly more: boolean;
  readonly cursor: PruneCursor;
}
