import { statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { HandlerRoute } from '../inbox/store.ts';
import type { DispatchLogger } from './dispatch-hooks.ts';
import { codeFiles } from './kept-modules.ts';
import {
  type ExaminedFolder,
  examineFolder,
  type FileFault,
  type LoadedHandler,
  type LoadOptions,
  logFindings,
} from './load-handlers.ts';

/** Milliseconds a file has in the first pass, so that one that waits does not hold up the others. */
const FIRST_LIMIT_MS = 3_000;
/** The same for a file that is tried again by itself. */
const RETRY_LIMIT_MS = 60_000;
/** Milliseconds between two looks at the files, and between two trials of files that have not changed. */
const LOOK_MS = 2_000;
const RETRY_MS = 30_000;

export interface HandlerSourceOptions {
  readonly dir: string;
  /** Handlers that the store has registered, of an earlier start or another process. */
  readonly known: readonly HandlerRoute[];
  readonly logger: DispatchLogger;
  /** More handlers are loaded, or none is waited for any more. */
  readonly onChange: () => void;
  readonly options?: Partial<LoadOptions>;
}

/**
 * The handlers of a folder where no file may keep the receiver from receiving. Those that cannot be loaded yet are tried
 * again, when a file has changed and now and then. Until then known handlers that may be theirs stay registered, so that
 * their deliveries are made and wait.
 */
export class HandlerSource {
  readonly #options: HandlerSourceOptions;
  readonly #end = new AbortController();
  #handlers: readonly LoadedHandler[] = [];
  #faults: readonly FileFault[] = [];
  #routes: readonly HandlerRoute[];
  #isLoading = true;

  constructor(options: HandlerSourceOptions) {
    this.#options = options;
    this.#routes = options.known;
  }

  get handlers(): readonly LoadedHandler[] {
    return this.#handlers;
  }

  /** Whether some handlers may be those of files that are not loaded. */
  get isIncomplete(): boolean {
    return this.#isLoading || this.#faults.length > 0;
  }

  /** Files that cannot be used, or not yet. */
  get faulty(): number {
    return this.#isLoading ? 1 : this.#faults.length;
  }

  /** Those that are loaded, and known ones that wait for their file. */
  get routes(): readonly HandlerRoute[] {
    return this.#routes;
  }

  /** Resolves after the first pass over all files. */
  async load(): Promise<void> {
    const { logger } = this.#options;
    const found = await this.#examineAll();
    if (found === undefined) return;
    logFindings(found, logger);
    this.#isLoading = false;
    this.#take(found.handlers, found.faults);
    for (const { message } of found.faults) {
      logger.error(`${message}. Events are received meanwhile, and deliveries of its handler wait`);
    }
    if (found.faults.length > 0) void this.#keepTrying();
  }

  stop(): void {
    this.#end.abort();
  }

  /** Returns `undefined` where the service stops first. @throws where the folder cannot be read and no handler is known */
  async #examineAll(): Promise<ExaminedFolder | undefined> {
    const { dir, options, logger, known } = this.#options;
    let hasFailed = false;
    do {
      try {
        return await examineFolder(dir, { limitMs: FIRST_LIMIT_MS, ...options });
      } catch (err) {
        if (known.length === 0) throw err;
        if (!hasFailed)
          logger.error({ err }, 'the handlers cannot be loaded; events are received, and deliveries wait');
        hasFailed = true;
      }
    } while (await this.#wait());
    return undefined;
  }

  #take(handlers: readonly LoadedHandler[], faults: readonly FileFault[]): void {
    this.#handlers = handlers;
    this.#faults = faults;
    const names = new Set(handlers.map(({ handler }) => handler));
    const waiting = faults.length === 0 ? [] : this.#options.known.filter(({ handler }) => !names.has(handler));
    const own = handlers.map(({ handler, ordered, events }) => ({ handler, ordered, events }));
    this.#routes = [...own, ...waiting];
    this.#options.onChange();
  }

  /** A file is read once it has stayed as it is between two looks: an editor may write in several steps. */
  async #keepTrying(): Promise<void> {
    let tried = this.#fingerprint();
    let seen = tried;
    // Soon once more: one that was merely slow gets more time.
    let triedAt = Number.NEGATIVE_INFINITY;
    while (this.#faults.length > 0 && (await this.#wait())) {
      const now = this.#fingerprint();
      const isSettled = now === seen;
      seen = now;
      if (!isSettled || (now === tried && performance.now() - triedAt < RETRY_MS)) continue;
      await this.#tryAgain().catch((err: unknown) => {
        this.#options.logger.warn({ err }, 'the handler files could not be read; it is tried again');
      });
      tried = now;
      triedAt = performance.now();
    }
  }

  async #tryAgain(): Promise<void> {
    const { dir, options, logger } = this.#options;
    const files = this.#faults.map(({ file }) => file);
    const only = { limitMs: RETRY_LIMIT_MS, ...options };
    // Each by itself: one that waits must not hold up the others.
    const all = await Promise.all(
      files.map((file) => examineFolder(dir, { ...only, only: file, loaded: this.#handlers })),
    );
    if (this.#end.signal.aborted) return;
    const handlers = [...this.#handlers];
    const faults = all.flatMap((found) => found.faults);
    for (const found of all) {
      logFindings(found, logger);
      for (const loaded of found.handlers) {
        if (handlers.some(({ handler }) => handler === loaded.handler)) continue;
        handlers.push(loaded);
        logger.info(
          { handler: loaded.handler },
          'a handler file that could not be loaded is right again; its deliveries run',
        );
      }
    }
    const before = new Map(this.#faults.map(({ file, message }) => [file, message]));
    for (const { file, message } of faults) if (before.get(file) !== message) logger.error(message);
    this.#take(handlers, faults);
  }

  /** Of the code files in the folder: a helper may be the one at fault. */
  #fingerprint(): string {
    try {
      return [...codeFiles(this.#options.dir)]
        .map((file) => [file, statSync(file, { throwIfNoEntry: false })] as const)
        .map(([file, stats]) => `${file} ${stats?.mtimeMs} ${stats?.size} ${stats?.ino}`)
        .join('\n');
    } catch {
      // The folder is being replaced: the next look sees it.
      return 'unreadable';
    }
  }

  /** Returns whether to go on. */
  async #wait(): Promise<boolean> {
    try {
      await pause(LOOK_MS, undefined, { signal: this.#end.signal, ref: false });
      return true;
    } catch {
      // Aborted: the service is stopping.
      return false;
    }
  }
}
