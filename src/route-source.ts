import type { Logger } from 'pino';
import type { HandlerRoute, Store } from './inbox/store.ts';

const REFRESH_MS = 10_000;

export interface RouteSourceOptions {
  readonly store: Pick<Store, 'registeredHandlers' | 'onForeignChange'>;
  /** From this process's own folder. */
  readonly own: () => readonly HandlerRoute[];
  /** Whether other processes run the handlers: then those that they have registered count, as soon as they are known. */
  readonly follow: boolean;
  readonly logger: Pick<Logger, 'warn'>;
}

/** The handlers that new events go to. */
export class RouteSource {
  readonly #options: RouteSourceOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  /** By other processes. */
  #registered: readonly HandlerRoute[] = [];
  #isReading = false;
  #isStopped = false;

  constructor(options: RouteSourceOptions) {
    this.#options = options;
    if (!options.follow) return;
    void this.#refresh();
    options.store.onForeignChange(() => void this.#refresh());
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS).unref();
  }

  get routes(): readonly HandlerRoute[] {
    return this.#registered.length > 0 ? this.#registered : this.#options.own();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** What was known last goes on while the store is away. */
  async #refresh(): Promise<void> {
    if (this.#isReading || this.#isStopped) return;
    this.#isReading = true;
    try {
      this.#registered = await this.#options.store.registeredHandlers();
      if (this.routes.length === 0) this.#warnOnce();
    } catch {
      // Whoever commits says that the store is away.
    } finally {
      this.#isReading = false;
    }
  }

  #hasWarned = false;

  #warnOnce(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#options.logger.warn(
      'no worker has registered a handler and HANDLERS_DIR holds none: events are stored for no handler, until one is there',
    );
  }
}
