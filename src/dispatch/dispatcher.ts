import { newId } from '../audit/new-id.ts';
import type { HandlerSettings } from '../config/settings.ts';
import { forLeases, neverSetBack } from '../inbox/clock.ts';
import type { ClaimedDelivery, ClaimRequest, DeliveryOutcome, Store } from '../inbox/store.ts';
import { ClaimLoop } from './claim-loop.ts';
import { concludeDelivery } from './conclude-delivery.ts';
import type { DispatchHooks, DispatchLogger } from './dispatch-hooks.ts';
import { handlerEnvironment } from './handler-environment.ts';
import { HandlerLane } from './handler-lane.ts';
import { HandlerRunner } from './handler-runner.ts';
import { leaseLength, RUN_LIMITS, type RunLimits } from './limits.ts';
import type { LoadedHandler } from './load-handlers.ts';
import { OutcomeWriter } from './outcome-writer.ts';
import { RecoverLoop, type RecoverLoopOptions } from './recover-loop.ts';
import type { RunOutcome } from './run-outcome.ts';
import type { ThreadSettings } from './thread-protocol.ts';
import { within } from './within.ts';

export interface DispatcherOptions extends Partial<ThreadSettings> {
  readonly store: Pick<Store, 'claim'> & RecoverLoopOptions['store'];
  /** Names this process where several share the store. */
  readonly owner?: string;
  /** Resolves once the outcome is durable; rejects while the store is away, and is called again then. */
  readonly commitOutcome: (outcome: DeliveryOutcome) => Promise<void>;
  readonly handlers: readonly LoadedHandler[];
  /** Whether registered handlers that are not among these may be this process's own, whose files are not loaded yet. */
  readonly keepsOthers?: () => boolean;
  readonly settings: HandlerSettings;
  readonly logger: DispatchLogger;
  readonly hooks?: DispatchHooks;
  /** Environment from which handlers get theirs. Default: that of the process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly limits?: Partial<RunLimits>;
  /** Megabytes of heap for each handler's thread. Default: a quarter of the memory there is, 1,024 at the most. */
  readonly heapMb?: number;
  /** Epoch milliseconds. */
  readonly clock?: () => number;
  /** From 0 up to but not including 1. */
  readonly random?: () => number;
}

export interface DrainLimits {
  /** Milliseconds that running handlers have to finish. */
  readonly handlersMs: number;
  /** Milliseconds that they have after their signals were aborted. */
  readonly abortMs: number;
  /** Milliseconds for their threads to end and the last outcomes to be committed. */
  readonly endMs: number;
  /** Ends the handlers' time early. */
  readonly signal?: AbortSignal;
}

/** Outcomes of a handler that are on their way to the disk at the most; they are to keep no place. */
const MAX_UNWRITTEN = 1_024;
/** Deliveries of a handler that one claim takes at the most: while it takes them, no event is committed. */
const MAX_CLAIM = 64;

const DRAIN_LIMITS: DrainLimits = { handlersMs: 8_000, abortMs: 500, endMs: 500 };

/** Takes deliveries from the store to their handlers and their outcomes back. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #clock: () => number;
  readonly #runners = new Map<string, HandlerRunner>();
  readonly #claims: ClaimLoop;
  readonly #recovery: RecoverLoop;
  readonly #writer: OutcomeWriter;
  readonly #lanes = new Map<string, HandlerLane>();
  #handlers: readonly LoadedHandler[] = [];
  /** Deliveries of each handler whose outcome is not durable yet. */
  readonly #unwritten = new Map<string, number>();
  readonly #deliveries = new Set<Promise<void>>();
  #drained: Promise<{ threadsLeft: number }> | undefined;

  constructor(options: DispatcherOptions) {
    const { store, commitOutcome, handlers, settings, logger } = options;
    const limits = { ...RUN_LIMITS, ...options.limits };
    const leaseMs = leaseLength(settings.timeoutMs, limits);
    const clock = neverSetBack({ clock: options.clock ?? Date.now });
    this.#options = options;
    this.#clock = clock;
    this.#add(handlers);
    this.#writer = new OutcomeWriter(commitOutcome, (err) =>
      logger.warn({ err }, 'the outcome of a delivery could not be committed; it is tried again'),
    );
    this.#claims = new ClaimLoop({
      store,
      places: () => this.#freePlaces(),
      newLease: newId,
      leaseMs,
      clock,
      take: (delivery, leaseUntil) => this.#take(delivery, leaseUntil),
      onFailures: (failures, err) => {
        if (failures === 1) logger.warn({ err }, 'deliveries could not be claimed; it is tried again');
        if (failures === 0) logger.info('deliveries are claimed again');
      },
    });
    this.#recovery = new RecoverLoop({
      store,
      keepsOthers: options.keepsOthers ?? (() => false),
      routes: () => this.#handlers.map(({ handler, ordered, events }) => ({ handler, ordered, events })),
      owner: options.owner,
      maxAttempts: settings.maxAttempts,
      clock: forLeases({ clock }, leaseMs),
      logger,
      onRecovered: () => this.wake(),
    });
  }

  /** Resolves when the handlers are registered, leases of processes that are gone are taken back, and claiming has begun;
   * that is tried until it succeeds or `drain` is called. Never rejects. */
  async start(): Promise<void> {
    await this.#recovery.start();
    this.wake();
  }

  /** Runs those of these handlers that it does not run yet. Never rejects. */
  async take(handlers: readonly LoadedHandler[]): Promise<void> {
    if (this.#drained !== undefined) return;
    this.#add(handlers.filter(({ handler }) => !this.#runners.has(handler)));
    await this.#recovery.registerAgain();
    this.wake();
  }

  #add(handlers: readonly LoadedHandler[]): void {
    const limits = { ...RUN_LIMITS, ...this.#options.limits };
    for (const handler of handlers) {
      this.#runners.set(handler.handler, this.#createRunner(handler, limits));
      this.#lanes.set(handler.handler, new HandlerLane(this.#options.settings));
    }
    this.#handlers = [...this.#handlers, ...handlers];
  }

  /** To be called after each commit that made deliveries pending, and when another process has changed the store. */
  wake(): void {
    if (this.#recovery.hasStarted) this.#claims.wake();
  }

  /**
   * Claims nothing new, lets running handlers finish, aborts and releases those that do not (such an attempt is not
   * counted), and commits. Never rejects, and resolves within the sum of the limits (9 s) whatever happens; with the
   * number of threads that could not be ended: inside a system call, they keep process.exit waiting.
   */
  drain(limits: Partial<DrainLimits> = {}): Promise<{ threadsLeft: number }> {
    this.#drained ??= this.#drain({ ...DRAIN_LIMITS, ...limits });
    return this.#drained;
  }

  async #drain({ handlersMs, abortMs, endMs, signal }: DrainLimits): Promise<{ threadsLeft: number }> {
    this.#recovery.stop();
    const idle = this.#claims.stop();
    for (const lane of this.#lanes.values()) lane.stop();
    await within(this.#settled(idle), handlersMs, signal);
    const runners = [...this.#runners.values()];
    for (const runner of runners) runner.stop();
    await within(this.#settled(), abortMs);
    const ending = Promise.all(runners.map((runner) => runner.end()));
    await within(Promise.all([this.#settled(), ending]), endMs);
    this.#writer.giveUp();
    const left = runners.reduce((sum, runner) => sum + runner.threads, 0);
    return { threadsLeft: left };
  }

  /** Resolves when no delivery is under way, those of a last claim included. */
  async #settled(before: Promise<void> = Promise.resolve()): Promise<void> {
    await before;
    while (this.#deliveries.size > 0) await Promise.all(this.#deliveries);
  }

  #createRunner({ handler, file, idle, modules }: LoadedHandler, limits: RunLimits): HandlerRunner {
    const { settings, logger, env, heapMb, logLevel = 'info', logFd = 1 } = this.#options;
    return new HandlerRunner({
      handler,
      file,
      idle,
      modules,
      limits,
      logger,
      logLevel,
      logFd,
      env: handlerEnvironment(env),
      timeoutMs: settings.timeoutMs,
      clock: this.#clock,
      onRoom: () => this.wake(),
      ...(heapMb === undefined ? {} : { heapMb }),
    });
  }

  #freePlaces(): ClaimRequest['places'] {
    return [...this.#runners]
      .filter(([, runner]) => runner.hasRoom)
      .map(([handler]) => {
        const room = MAX_UNWRITTEN - (this.#unwritten.get(handler) ?? 0);
        return { handler, limit: Math.min(MAX_CLAIM, room, this.#lanes.get(handler)?.wanted ?? 0) };
      })
      .filter(({ limit }) => limit > 0);
  }

  #take(delivery: ClaimedDelivery, leaseUntil: number): void {
    const { handler } = delivery;
    this.#unwritten.set(handler, (this.#unwritten.get(handler) ?? 0) + 1);
    const delivered = this.#deliver(delivery, leaseUntil).finally(() => {
      this.#unwritten.set(handler, (this.#unwritten.get(handler) ?? 1) - 1);
      this.#deliveries.delete(delivered);
      this.#claims.wake();
    });
    this.#deliveries.add(delivered);
  }

  async #deliver(delivery: ClaimedDelivery, leaseUntil: number): Promise<void> {
    const { settings, hooks, random } = this.#options;
    const { handler, receivedAt, attempt, replay } = delivery;
    const lane = this.#lanes.get(handler);
    const mayRun = (await lane?.enter(delivery.body.byteLength)) === true;
    const startedAt = this.#clock();
    const started = performance.now();
    let outcome: RunOutcome = { kind: 'released' };
    if (mayRun) {
      hooks?.onStart?.({ handler, receivedAt, attempt, replay });
      outcome = await this.#run(delivery, leaseUntil);
      lane?.leave();
      this.#claims.wake();
    }
    const durationMs = Math.round(performance.now() - started);
    hooks?.onRun?.(handler, outcome.kind === 'failed' ? outcome.failure : outcome.kind, durationMs / 1_000);
    const ended = { delivery, outcome, startedAt, endedAt: this.#clock(), durationMs };
    const concluded = concludeDelivery(ended, settings, random);
    this.#log(delivery, outcome, concluded.next.state, durationMs);
    await this.#writer.write(concluded);
  }

  #run(delivery: ClaimedDelivery, leaseUntil: number): Promise<RunOutcome> {
    const runner = this.#drained === undefined ? this.#runners.get(delivery.handler) : undefined;
    return runner?.run(delivery, leaseUntil) ?? Promise.resolve({ kind: 'released' });
  }

  /** With the error's text as it is kept: masked where it was thrown. */
  #log(delivery: ClaimedDelivery, outcome: RunOutcome, state: string, durationMs: number): void {
    const { handler, eventId, deliveryId, attempt } = delivery;
    const line = { handler, eventId, deliveryId, attempt, state, durationMs };
    const { logger } = this.#options;
    if (outcome.kind === 'released') logger.debug(line, 'handler run');
    else if (outcome.kind === 'done') logger.info(line, 'handler run');
    else {
      const { failure, error, where } = outcome;
      logger.warn({ ...line, failure, error, where }, 'handler run');
    }
  }
}
