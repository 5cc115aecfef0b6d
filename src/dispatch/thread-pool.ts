import type { DispatchLogger } from './dispatch-hooks.ts';
import { HandlerWorker, type WorkerListener, type WorkerOptions } from './handler-worker.ts';

export interface ThreadPoolOptions extends WorkerOptions {
  /** Threads at the most, those included that were told to end and have not yet. */
  readonly maxThreads: number;
  readonly logger: DispatchLogger;
}

/** The threads of one handler from their start until they are known to have ended: they are counted, so that they stay few. */
export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  readonly #listener: WorkerListener;
  readonly #threads = new Set<HandlerWorker>();
  readonly #ending = new Map<HandlerWorker, Promise<void>>();

  /** `onEnd` comes after `ended` for threads that ended by themselves, and instead of it for those told to. */
  constructor(options: ThreadPoolOptions, listener: WorkerListener, onEnd: (thread: HandlerWorker) => void) {
    this.#options = options;
    this.#listener = {
      ...listener,
      ended: (thread, reason) => {
        this.#threads.delete(thread);
        if (!this.#ending.delete(thread)) listener.ended(thread, reason);
        onEnd(thread);
      },
    };
  }

  /** Threads that are not known to have ended. */
  get size(): number {
    return this.#threads.size;
  }

  get isFull(): boolean {
    return this.#threads.size >= this.#options.maxThreads;
  }

  start(): HandlerWorker {
    const { startMs } = this.#options.limits;
    const thread = new HandlerWorker(this.#options, this.#listener);
    this.#threads.add(thread);
    setTimeout(() => {
      if (thread.isReady || !this.#threads.has(thread) || this.#ending.has(thread)) return;
      this.#listener.unloadable(thread, { text: `it is not loaded after ${startMs / 1_000} s` });
    }, startMs).unref();
    return thread;
  }

  /** Resolves when the thread has ended or outlasted its limit. */
  end(thread: HandlerWorker): Promise<void> {
    if (!this.#threads.has(thread)) return Promise.resolve();
    const known = this.#ending.get(thread);
    if (known !== undefined) return known;
    const ending = this.#end(thread);
    this.#ending.set(thread, ending);
    return ending;
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => this.end(thread)));
  }

  async #end(thread: HandlerWorker): Promise<void> {
    if (await thread.end()) return;
    const { handler, logger } = this.#options;
    logger.error({ handler, threads: this.size }, 'a thread of a handler cannot be ended: it is inside a system call');
  }
}
