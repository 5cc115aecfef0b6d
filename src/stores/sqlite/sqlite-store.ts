import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import type { AuditDraft, ChainHead } from '../../audit/entry.ts';
import type { Tampering } from '../../audit/tampering.ts';
import { RowRefused, StoreUnavailable } from '../../errors/problem.ts';
import type {
  AuditCursor,
  AuditSnapshot,
  Batch,
  ClaimRequest,
  DeadFilter,
  DiscardRequest,
  EventFilter,
  EventKey,
  HandlerRoute,
  PruneRequest,
  QuarantineState,
  ReplayRequest,
  Store,
} from '../../inbox/store.ts';
import { documentName, documentText } from '../check-document.ts';
import { findInPages } from '../dedup-keys.ts';
import type { ParcelLimits, ParcelRows } from '../spill/parcel.ts';
import { Tamperings } from '../tamperings.ts';
import type { Operations } from './operations.ts';
import { packBatch } from './pack-batch.ts';
import { createWriterThread, type StartListener, startWriterThread, within } from './start-thread.ts';
import {
  blocksToMove,
  type FromThread,
  type OperationName,
  type ThreadError,
  type ThreadOptions,
} from './thread-protocol.ts';

/** Milliseconds after which a caller is told; what it asked for may still happen. */
const CALL_LIMIT_MS = 5_000;
/** A replay, a backup or a first look at a large file may take long, and nobody's answer waits for it. */
const LONG_CALL_LIMIT_MS = 600_000;
const LONG_CALLS: ReadonlySet<OperationName> = new Set([
  'replay',
  'backup',
  'beginAudit',
  'checkLog',
  'listEvents',
  'listDead',
  'openSnapshot',
]);
/** Milliseconds between the end of the thread and its next start, so that one that cannot start takes no processor. */
const RESTART_MS = 500;
const CLOSE_LIMIT_MS = 3_000;
const TERMINATE_LIMIT_MS = 500;
/** Calls under way at the most; the group commit keeps one, the dispatcher two, the rest are an operator's. */
const MAX_CALLS = 1_000;

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A store in one SQLite file, owned by a thread of its own. */
export class SqliteStore implements Store {
  readonly location: string;
  readonly #options: ThreadOptions;
  readonly #calls = new Map<number, Call>();
  /** Calls given up while the thread still has them: it is stuck, and whatever else it is sent would only pile up. */
  readonly #abandoned = new Set<number>();
  readonly #listeners = new Set<() => void>();
  readonly #tamperings = new Tamperings();
  #heads: readonly ChainHead[] = [];
  /** `undefined` between the end of one thread and the start of the next. */
  #worker: Worker | undefined;
  /** Why the last thread ended or did not start. */
  #fault = '';
  #lastId = 0;
  #closed = false;

  private constructor(options: ThreadOptions, worker: Worker) {
    this.#options = options;
    this.location = `sqlite:${options.file}`;
    this.#worker = worker;
    this.#listen(worker);
  }

  /** @throws SettingsError where the file cannot be opened, is another receiver's, or needs a newer release. */
  static async open(options: ThreadOptions, listener: StartListener = {}): Promise<SqliteStore> {
    return new SqliteStore(options, await startWriterThread(options, listener));
  }

  commit = (batch: Batch) => this.#call('commit', packBatch(batch));
  claim = (request: ClaimRequest) => this.#call('claim', request);
  recoverLeases = (now: number, maxAttempts: number) => this.#call('recoverLeases', now, maxAttempts);
  registerHandlers = (handlers: readonly HandlerRoute[]) => this.#call('registerHandlers', handlers);
  registeredHandlers = () => this.#call('registeredHandlers');
  counts = () => this.#call('counts');
  orphans = () => this.#call('orphans');
  check = () => this.#call('check');
  listEvents = (filter: EventFilter) => this.#call('listEvents', filter);
  findEvent = (id: string) => this.#call('findEvent', id);
  listDead = (filter: DeadFilter) => this.#call('listDead', filter);
  replay = (request: ReplayRequest) => this.#call('replay', request);
  discard = (request: DiscardRequest) => this.#call('discard', request);
  listQuarantine = (filter: { limit: number; state?: QuarantineState }) => this.#call('listQuarantine', filter);
  findQuarantined = (id: string) => this.#call('findQuarantined', id);
  tailAudit = (limit: number, after?: AuditCursor) => this.#call('tailAudit', limit, after);
  auditHeads = () => this.#call('auditHeads');
  onTampered = (listener: (found: Tampering) => void) => this.#tamperings.listen(listener);
  prune = (request: PruneRequest) => this.#call('prune', request);
  firstSeen = (fingerprints: readonly string[], now: number) => this.#call('firstSeen', fingerprints, now);
  findFirstSeen = (fingerprints: readonly string[]) => this.#call('findFirstSeen', fingerprints);
  holdLease = (name: string, owner: string, forMs: number) => this.#call('holdLease', name, owner, forMs);
  releaseLease = (name: string, owner: string) => this.#call('releaseLease', name, owner);
  readDocument = async (name: string) => this.#call('readDocument', documentName(name));
  listDocuments = async (prefix: string, limit: number) => this.#call('listDocuments', documentName(prefix), limit);
  writeDocument = async (name: string, text: string, version: number | null) =>
    this.#call('writeDocument', documentName(name), documentText(text), version);
  dropDocument = async (name: string) => this.#call('dropDocument', documentName(name));
  findByKeys = (keys: readonly EventKey[], now: number) =>
    findInPages(keys, (page) => this.#call('findByKeys', page, now));
  /** Looks whether the log is as a receiver leaves it; to be called at the start, before anything is written. */
  async checkLog(): Promise<void> {
    for (const found of await this.#call('checkLog')) this.#tamperings.add(found);
  }

  /** Removes the audit log, sealed with another key, and begins a new one. */
  beginAudit = (entry: AuditDraft) => this.#call('beginAudit', entry);
  /** Writes a consistent copy while the store serves. The file must not exist. */
  backup = (file: string) => this.#call('backup', file);
  /** What only a spill is asked for: see SpillFile. */
  spillCommit = (batch: Batch) => this.#call('spillCommit', packBatch(batch));
  spillSize = () => this.#call('spillSize');
  spillCheck = () => this.#call('spillCheck');
  readParcel = (limits: ParcelLimits) => this.#call('readParcel', limits);
  forgetParcel = (rows: ParcelRows, refused?: ParcelRows) => this.#call('forgetParcel', rows, refused);
  spillHeads = () => this.#call('spillHeads');
  endChains = () => this.#call('endChains');
  isStore = () => this.#call('isStore');

  async openAuditSnapshot(): Promise<AuditSnapshot> {
    const id = await this.#call('openSnapshot');
    return {
      read: (after, limit) => this.#call('readSnapshot', id, after, limit),
      bodies: (after, limits) => this.#call('readSnapshotBodies', id, after, limits),
      describe: () => this.#call('describeSnapshot', id),
      close: () => this.#call('closeSnapshot', id),
    };
  }

  onForeignChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = once(worker, 'exit');
    worker.postMessage({ close: true });
    if (await within(ended, CLOSE_LIMIT_MS)) return;
    if (!(await within(worker.terminate(), TERMINATE_LIMIT_MS)))
      throw new StoreUnavailable('the thread that owns the file is inside a system call and cannot be ended');
  }

  #call<Name extends OperationName>(
    operation: Name,
    ...values: Parameters<Operations[Name]>
  ): Promise<ReturnType<Operations[Name]>> {
    if (this.#closed) return Promise.reject(new StoreUnavailable('the store is closed'));
    if (this.#calls.size >= MAX_CALLS)
      return Promise.reject(new StoreUnavailable('too many calls are waiting for the store'));
    if (this.#abandoned.size > 0)
      return Promise.reject(new StoreUnavailable('the disk has not answered an earlier call yet'));
    const worker = this.#worker;
    if (worker === undefined)
      return Promise.reject(new StoreUnavailable(`the thread that owns the file is starting again${this.#fault}`));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#calls.delete(id);
          this.#abandoned.add(id);
          reject(new StoreUnavailable(`no answer from the disk within the time limit (${operation})`));
        },
        LONG_CALLS.has(operation) ? LONG_CALL_LIMIT_MS : CALL_LIMIT_MS,
      );
      // The thread answers with what the operation of this name returned: the map in operations.ts ties the two.
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject, timer });
      worker.postMessage({ id, operation, values }, blocksToMove(operation, values));
    });
  }

  #listen(worker: Worker): void {
    worker.on('message', (message: FromThread) => {
      if ('foreignChange' in message) for (const listener of this.#listeners) listener();
      if ('id' in message) this.#settle(message);
      if ('tampered' in message) this.#tamperings.add(message.tampered);
      if ('failed' in message) this.#fault = `: ${message.failed.message}`;
      if ('ready' in message) this.#isBack();
    });
    worker.on('error', (error: Error) => {
      this.#fault = `: ${error.message}`;
      this.#replace(worker);
    });
    worker.on('exit', () => this.#replace(worker));
  }

  /** The first thread's word comes to `startWriterThread`, so this is a later one's. What others changed meanwhile, nobody saw. */
  #isBack(): void {
    this.#fault = '';
    for (const listener of this.#listeners) listener();
  }

  #settle(message: Extract<FromThread, { id: number }>): void {
    this.#abandoned.delete(message.id);
    if ('value' in message && message.heads !== undefined) this.#heads = message.heads;
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    this.#calls.delete(message.id);
    clearTimeout(call.timer);
    if ('error' in message) call.reject(toFault(message.error));
    else call.resolve(message.value);
  }

  /** The thread has died (out of memory, say) or gave the file up: its calls fail, and a new one opens the file. */
  #replace(dead: Worker): void {
    if (dead !== this.#worker || this.#closed) return;
    for (const [id, { reject, timer }] of this.#calls) {
      clearTimeout(timer);
      reject(new StoreUnavailable(`the thread that owns the file has ended${this.#fault}`));
      this.#calls.delete(id);
    }
    this.#abandoned.clear();
    this.#worker = undefined;
    setTimeout(() => {
      if (this.#closed) return;
      this.#worker = createWriterThread({ ...this.#options, reopened: true, heads: this.#heads });
      this.#listen(this.#worker);
    }, RESTART_MS);
  }
}

function toFault({ message, row }: ThreadError): StoreUnavailable {
  return row === true ? new RowRefused(message) : new StoreUnavailable(message);
}
