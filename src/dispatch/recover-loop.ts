import { setTimeout as pause } from 'node:timers/promises';
import type { Store } from '../inbox/store.ts';
import type { DispatchLogger } from './dispatch-hooks.ts';
import { HandlerRegistry, type HandlerRegistryOptions } from './handler-registry.ts';
import { storeBackoff } from './limits.ts';

/** Milliseconds. What a vanished process had leased holds its leads back until it is taken from it. */
const INTERVAL_MS = 3_000;
/** Milliseconds after which the handlers are registered again, for processes that share the store. */
const REGISTER_MS = 30_000;

export interface RecoverLoopOptions extends HandlerRegistryOptions {
  readonly store: Pick<Store, 'recoverLeases'> & HandlerRegistryOptions['store'];
  readonly maxAttempts: number;
  readonly clock: () => number;
  readonly logger: DispatchLogger;
  readonly onRecovered: () => void;
  /** Default: 3 s. */
  readonly intervalMs?: number;
}

/** Registers the handlers, and takes back lost leases from then on. */
export class RecoverLoop {
  readonly #options: RecoverLoopOptions;
  readonly #registry: HandlerRegistry;
  readonly #end = new AbortController();
  #registeredAt = 0;
  #mustRegister = false;
  #hasStarted = false;

  constructor(options: RecoverLoopOptions) {
    this.#options = options;
    this.#registry = new HandlerRegistry(options);
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** Resolves after the first time that all of it succeeded, or after `stop`. */
  async start(): Promise<void> {
    const { logger } = this.#options;
    for (let failures = 1; !this.#end.signal.aborted; failures += 1) {
      try {
        await this.#register(true);
        await this.#recover();
        this.#hasStarted = !this.#end.signal.aborted;
        void this.#keepRecovering();
        await this.#registry
          .warnOfOrphans()
          .catch((err: unknown) => logger.warn({ err }, 'orphaned deliveries could not be counted'));
        return;
      } catch (err) {
        if (failures === 1) logger.warn({ err }, 'handlers could not be registered; it is tried again');
      }
      await this.#wait(storeBackoff(failures));
    }
  }

  stop(): void {
    this.#hasStarted = false;
    this.#end.abort();
    void this.#registry.signOff();
  }

  /** To be called when this process has other handlers than before. Never rejects. */
  async registerAgain(): Promise<void> {
    // Before the start has registered any, it will.
    if (!this.#hasStarted) return;
    try {
      await this.#register(true);
      await this.#registry.warnOfOrphans();
    } catch (err) {
      this.#mustRegister = true;
      this.#options.logger.warn({ err }, 'handlers could not be registered; it is tried again');
    }
  }

  async #register(isNew: boolean): Promise<void> {
    await this.#registry.register(isNew);
    this.#mustRegister = false;
    this.#registeredAt = performance.now();
  }

  async #keepRecovering(): Promise<void> {
    while (await this.#wait(this.#options.intervalMs ?? INTERVAL_MS)) {
      try {
        if ((await this.#recover()) > 0) this.#options.onRecovered();
        if (!this.#mustRegister && performance.now() - this.#registeredAt < REGISTER_MS) continue;
        await this.#register(this.#mustRegister);
        await this.#registry.warnOfOrphans();
      } catch (err) {
        this.#options.logger.warn({ err }, 'lost leases could not be taken back; it is tried again');
      }
    }
  }

  /** In steps, as the store gives them. */
  async #recover(): Promise<number> {
    const { store, maxAttempts, clock, logger } = this.#options;
    let deliveries = 0;
    for (let step = -1; step !== 0 && !this.#end.signal.aborted; deliveries += step) {
      step = await store.recoverLeases(clock(), maxAttempts);
    }
    if (deliveries > 0) logger.warn({ deliveries }, 'took back deliveries whose process or lease had ended');
    return deliveries;
  }

  /** Gives whether to go on. */
  async #wait(milliseconds: number): Promise<boolean> {
    try {
      await pause(milliseconds, undefined, { signal: this.#end.signal });
      return true;
    } catch {
      // Aborted: the service is stopping.
      return false;
    }
  }
}
