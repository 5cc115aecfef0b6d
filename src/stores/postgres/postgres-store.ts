import { deriveAuditKey } from '../../audit/chain.ts';
import type { AuditDraft } from '../../audit/entry.ts';
import { newId } from '../../audit/new-id.ts';
import { Secret } from '../../config/secret.ts';
import { StoreUnavailable } from '../../errors/problem.ts';
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
  ReplayResult,
  Store,
  StoreCondition,
} from '../../inbox/store.ts';
import { documentName, documentText } from '../check-document.ts';
import { findInPages } from '../dedup-keys.ts';
import type { Parcel } from '../spill/parcel.ts';
import { AuditSnapshots } from './audit-snapshot.ts';
import { Claimer } from './claimer.ts';
import { commitBatch } from './commit-batch.ts';
import { endConnection } from './connect.ts';
import { dropDocument, listDocuments, readDocument, writeDocument } from './documents.ts';
import { findByKeys } from './find-by-keys.ts';
import { findFirstSeen, readFirstSeen } from './first-seen.ts';
import { holdLease, releaseLease } from './hold-lease.ts';
import { Lanes } from './lanes.ts';
import { Listener } from './listener.ts';
import { LogWatch } from './log-watch.ts';
import { moveIn } from './move-in.ts';
import { toStartFault, toUnavailable } from './pg-error.ts';
import { prune } from './prune.ts';
import { readHeads, tailAudit } from './read-audit.ts';
import { readCounts, readOrphans } from './read-counts.ts';
import { findEvent, listDead, listEvents } from './read-events.ts';
import { findQuarantined, listQuarantine } from './read-quarantine.ts';
import { EXPIRE_OWN } from './recover-leases.ts';
import { registeredHandlers, registerHandlers } from './register-handlers.ts';
import { replaceChains } from './replace-chains.ts';
import { discardDeliveries, replayDeliveries } from './replay-deliveries.ts';
import { Server } from './server.ts';
import { type Runner, transact } from './transaction.ts';
import { tryCommit } from './write-tally.ts';

/** Batches that are committed at once. */
export const COMMIT_LANES = 3;
/** Milliseconds for which a commit is tried again after a lost connection or a conflict. */
const COMMIT_LIMIT_MS = 1_800;
/** The same for what nobody's answer waits for. */
const SLOW_LIMIT_MS = 10_000;
const REPLAY_LIMIT_MS = 600_000;
/** Between two looks at a session that is gone: longer than a living process needs for another connection (see listener.ts). */
const GONE_AFTER_MS = 8_000;

export interface PostgresOptions {
  /** With the password. */
  readonly url: string;
  /** For people: without it. */
  readonly location: string;
  readonly auditKey: string;
  /** Whether it claims, and hears what others do; a command does not. */
  readonly serve: boolean;
  /** Default: 8,000. */
  readonly goneAfterMs?: number;
  /** Default: 1,800. */
  readonly commitMs?: number;
}

/** Shared by any number of processes. While the server is away every call rejects with `StoreUnavailable`; it recovers by itself. */
export class PostgresStore implements Store {
  readonly location: string;
  /** Names this process in leases. */
  readonly #owner = newId();
  readonly #server: Server;
  readonly #lanes: Lanes;
  /** For replays, which may take minutes and must not keep an event waiting. */
  readonly #slowLanes: Lanes;
  readonly #claimer: Claimer;
  readonly #listener: Listener;
  readonly #snapshots: AuditSnapshots;
  readonly #commitMs: number;
  readonly #log = new LogWatch();
  #mayLease = false;
  #closed = false;

  private constructor(options: PostgresOptions) {
    const key = deriveAuditKey(new Secret(options.auditKey));
    this.location = options.location;
    // A key that is not the log's is found whenever the server comes, not only where it was there at the start.
    this.#server = new Server(
      options.url,
      options.serve ? (runner) => this.#log.look(runner, key, options.location) : undefined,
    );
    this.#lanes = new Lanes(this.#server, { key, log: this.#log }, COMMIT_LANES);
    this.#slowLanes = new Lanes(this.#server, { key, log: this.#log }, 1, REPLAY_LIMIT_MS);
    this.#snapshots = new AuditSnapshots(this.#server);
    this.#listener = new Listener(this.#server, this.#owner);
    const { goneAfterMs = GONE_AFTER_MS, commitMs = COMMIT_LIMIT_MS } = options;
    this.#commitMs = commitMs;
    this.#claimer = new Claimer({ server: this.#server, owner: this.#owner, goneAfterMs });
    if (options.serve) this.#listener.start();
  }

  /** Never waits for the server; see `connected`. */
  static open(options: PostgresOptions): PostgresStore {
    return new PostgresStore(options);
  }

  /** Resolves when the server answers and the schema is in place.
   * @throws SettingsError where no waiting will help; StoreUnavailable where the server is away now */
  async connected(): Promise<void> {
    try {
      await endConnection(await this.#server.connect());
    } catch (error) {
      throw toStartFault(error);
    }
  }

  async commit(batch: Batch): Promise<CommitResult> {
    const { result, head } = await this.#lanes.run(
      (runner, chain) => commitBatch(runner, chain, batch, Date.now()),
      this.#commitMs,
    );
    if (result.pending > 0) this.#listener.notify();
    return { ...result, head };
  }

  /** What a spill has kept, in one transaction; the same again changes nothing. */
  async moveIn(parcel: Parcel): Promise<void> {
    const pending = await this.#transact((runner) => moveIn(runner, parcel));
    if (pending > 0) this.#listener.notify();
  }

  claim(request: ClaimRequest) {
    this.#mayLease = true;
    return this.#guard(() => this.#claimer.claim(request));
  }

  async recoverLeases(now: number, maxAttempts: number): Promise<number> {
    const recovered = await this.#guard(() => this.#claimer.recover(now, maxAttempts));
    if (recovered > 0) this.#listener.notify();
    return recovered;
  }

  registerHandlers(handlers: readonly HandlerRoute[]): Promise<void> {
    return this.#transact((runner) => registerHandlers(runner, handlers));
  }

  registeredHandlers = () => this.#server.read(registeredHandlers);
  counts = () => this.#server.read(readCounts);
  orphans = () => this.#server.read(readOrphans, 'slow');

  async check(): Promise<StoreCondition> {
    await this.#server.read(tryCommit);
    return { degraded: null };
  }

  listEvents = (filter: EventFilter) => this.#server.read((runner) => listEvents(runner, filter), 'slow');
  findEvent = (id: string) => this.#server.read((runner) => findEvent(runner, id));
  listDead = (filter: DeadFilter) => this.#server.read((runner) => listDead(runner, filter), 'slow');
  listQuarantine = (filter: { readonly limit: number; readonly state?: QuarantineState }) =>
    this.#server.read((runner) => listQuarantine(runner, filter));
  findQuarantined = (id: string) => this.#server.read((runner) => findQuarantined(runner, id));

  async replay(request: ReplayRequest): Promise<ReplayResult> {
    const { result } = await this.#slowLanes.run(
      (runner, chain) => replayDeliveries(runner, chain, request),
      SLOW_LIMIT_MS,
    );
    this.#listener.notify();
    return result;
  }

  discard = async (request: DiscardRequest) =>
    (await this.#slowLanes.run((runner, chain) => discardDeliveries(runner, chain, request), SLOW_LIMIT_MS)).result;

  /** Removes the audit log, sealed with another key, and begins a new one. To be called before anything else is written. */
  beginAudit = async (entry: AuditDraft) => ({
    entries: (await this.#slowLanes.run((runner, chain) => replaceChains(runner, chain, entry), SLOW_LIMIT_MS)).result,
  });

  openAuditSnapshot = () => this.#guard(() => this.#snapshots.open());
  tailAudit = (limit: number, after?: AuditCursor) => this.#server.read((runner) => tailAudit(runner, limit, after));
  auditHeads = () => this.#server.read(readHeads);

  onTampered: Store['onTampered'] = (listener) => this.#log.listen(listener);
  prune = async (request: PruneRequest) =>
    (await this.#lanes.run((runner, chain, lane) => prune(runner, { chain, lane }, request), SLOW_LIMIT_MS)).result;

  firstSeen = (fingerprints: readonly string[], now: number) =>
    this.#transact((runner) => readFirstSeen(runner, fingerprints, now));
  findFirstSeen = (fingerprints: readonly string[]) => this.#read(findFirstSeen, fingerprints);
  holdLease = (name: string, owner: string, forMs: number) =>
    this.#server.read((runner) => holdLease(runner, name, owner, forMs));
  releaseLease = (name: string, owner: string) => this.#server.read((runner) => releaseLease(runner, name, owner));

  readDocument = async (name: string) => this.#read(readDocument, documentName(name));
  listDocuments = async (prefix: string, limit: number) => this.#read(listDocuments, documentName(prefix), limit);
  writeDocument = async (name: string, text: string, version: number | null) =>
    this.#read(writeDocument, documentName(name), documentText(text), version);
  dropDocument = async (name: string) => this.#read(dropDocument, documentName(name));
  findByKeys = (keys: readonly EventKey[], now: number) =>
    findInPages(keys, (page) => this.#read(findByKeys, page, now));

  onForeignChange(listener: () => void): void {
    this.#listener.add(listener);
    this.#listener.start();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#mayLease) {
      await this.#server.read((runner) => runner.all(EXPIRE_OWN, this.#owner)).catch(() => undefined);
    }
    await this.#listener.close();
    this.#lanes.close();
    this.#slowLanes.close();
    await this.#snapshots.closeAll();
    await this.#server.close();
  }

  /** A single statement, its values looked at before: what is wrong with them is no fault of the server. */
  #read<Values extends unknown[], Result>(
    work: (runner: Runner, ...values: Values) => Promise<Result>,
    ...values: Values
  ): Promise<Result> {
    return this.#server.read((runner) => work(runner, ...values));
  }

  #transact<Result>(work: (runner: Runner) => Promise<Result>): Promise<Result> {
    return this.#guard(() => this.#server.use((client) => transact(client, work)));
  }

  async #guard<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      if (this.#closed) throw new StoreUnavailable('the store is closed');
      return await work();
    } catch (error) {
      throw toUnavailable(error);
    }
  }
}
