import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { draft } from '../../src/audit/make-draft.ts';
import type { DispatchHooks, DispatchLogger } from '../../src/dispatch/dispatch-hooks.ts';
import { Dispatcher, type DispatcherOptions } from '../../src/dispatch/dispatcher.ts';
import { RUN_LIMITS } from '../../src/dispatch/limits.ts';
import { type LoadedHandler, loadHandlers } from '../../src/dispatch/load-handlers.ts';
import { routesFor } from '../../src/inbox/accept.ts';
import { monotonicMilliseconds } from '../../src/inbox/clock.ts';
import { GroupCommit } from '../../src/inbox/group-commit.ts';
import type { DeliveryOutcome, StoredDelivery } from '../../src/inbox/store.ts';
import type { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { HandlerFolder, TestLog } from './dispatch-support.ts';
import { createTestStore, type TestStore } from './inbox-support.ts';

const SETTINGS = {
  strict: true,
  concurrency: 8,
  timeoutMs: 5_000,
  maxAttempts: 5,
  backoffBaseMs: 1,
  backoffCapMs: 10,
  orderHoldMs: 60_000,
  variables: {},
};

export interface Accepted {
  readonly type?: string;
  readonly lead?: string;
  readonly payload?: object;
}

/** A dispatcher over a real store, a real group commit and real threads. */
export class DispatchRig {
  readonly folder = new HandlerFolder();
  readonly log = new TestLog();
  readonly outcomes: DeliveryOutcome[] = [];
  readonly #test: TestStore;
  readonly commits: GroupCommit;
  handlers: readonly LoadedHandler[] = [];
  dispatcher: Dispatcher | undefined;
  #watchers: (() => void)[] = [];
  readonly #warnings: string[] = [];

  private constructor(test: TestStore) {
    this.#test = test;
    this.commits = new GroupCommit({
      store: test.store,
      maxQueued: 1_000,
      maxBatch: 100,
      takeAudits: () => [],
      lostAudits: () => undefined,
      onCommit: ({ result }) => {
        if (result.pending > 0) this.dispatcher?.wake();
      },
    });
  }

  static async create(): Promise<DispatchRig> {
    return new DispatchRig(await createTestStore());
  }

  get store(): SqliteStore {
    return this.#test.store;
  }

  get file(): string {
    return `${this.#test.dir}/receiver.db`;
  }

  lock(): void {
    this.#test.lock();
  }

  unlock(): void {
    this.#test.unlock();
  }

  /** Loads what lies in the folder, and starts to dispatch. */
  async start(
    settings: Partial<typeof SETTINGS> = {},
    more: Partial<DispatcherOptions> & { hooks?: DispatchHooks } = {},
  ): Promise<Dispatcher> {
    const { dir } = this.folder;
    this.handlers = (await loadHandlers(dir, { logFd: this.log.fd })).handlers;
    this.dispatcher = new Dispatcher({
      store: this.store,
      handlers: this.handlers,
      settings: { ...SETTINGS, dir, ...settings },
      logger: this.#logger(),
      logFd: this.log.fd,
      limits: { ...RUN_LIMITS, graceMs: 700 },
      commitOutcome: async (outcome) => {
        await this.commits.outcome(outcome);
        this.outcomes.push(outcome);
        for (const watch of this.#watchers) watch();
      },
      ...more,
    });
    await this.dispatcher.start();
    return this.dispatcher;
  }

  /** Gives the event's id. */
  async accept({ type = 'reply_received', lead, payload = {} }: Accepted = {}): Promise<string> {
    const id = uuidv7();
    const body = Buffer.from(JSON.stringify({ ...payload, id }));
    const at = Date.now();
    await this.commits.accept({
      event: {
        id,
        receivedAt: at,
        type,
        rawType: type,
        timestamp: null,
        lead: lead ?? null,
        campaignId: null,
        principal: 'instantly:token:1',
        source: 'webhook',
        charset: null,
        dedupKey: createHash('sha256').update(body).digest(),
        dedupUntil: at + 3_600_000,
        body,
      },
      routes: routesFor(this.handlers, type),
      audit: {
        draft: draft({ action: 'webhook.receive', userId: 'x', resource: 'x', result: 'success', at }),
        startedAt: monotonicMilliseconds(),
      },
    });
    return id;
  }

  /** Resolves when that many outcomes, of this kind where one is named, are durable. */
  until(count: number, state?: DeliveryOutcome['next']['state']): Promise<void> {
    const reached = (): boolean =>
      this.outcomes.filter(({ next }) => state === undefined || next.state === state).length >= count;
    if (reached()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#watchers.push(() => {
        if (reached()) resolve();
      });
    });
  }

  /** Resolves when the main thread has warned of it. */
  untilWarned(start: string): Promise<void> {
    return new Promise((resolve) => {
      const watch = (): void => {
        if (this.#warnings.some((warning) => warning.startsWith(start))) resolve();
      };
      this.#watchers.push(watch);
      watch();
    });
  }

  #logger(): DispatchLogger {
    const { logger } = this.log;
    const warn = (fields: object, message: string): void => {
      logger.warn(fields, message);
      this.#warnings.push(message);
      for (const watch of this.#watchers) watch();
    };
    return Object.assign(Object.create(logger) as DispatchLogger, { warn });
  }

  states(): string[] {
    return this.outcomes.map(({ next }) => next.state);
  }

  async runs(eventId: string): Promise<readonly StoredDelivery[]> {
    return (await this.store.findEvent(eventId))?.runs ?? [];
  }

  /** Entries of attempts. */
  async audits(): Promise<AuditEntry[]> {
    return (await this.store.tailAudit(200)).entries.filter(({ action }) => action === 'handler.run');
  }

  async remove(): Promise<void> {
    await this.dispatcher?.drain({ handlersMs: 0, abortMs: 200, endMs: 5_000 });
    this.#watchers = [];
    await this.#test.remove();
    this.folder.remove();
    this.log.remove();
  }
}
