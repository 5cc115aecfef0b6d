import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Reply, Request, ScanReply, ThreadData } from './thread-messages.ts';

const MOST_THREADS = 4;
/** Milliseconds for one file; an ordinary one takes less than one. */
const FILE_MS = 30_000;
/** Megabytes of a thread's heap. */
const HEAP_MB = 512;
const PATHS_AT_ONCE = 1_000;

export type PoolReply = ({ readonly kind: 'scanned' } & ScanReply) | ({ readonly kind: 'failed' } & ScanReply);

const NOTHING: ScanReply = { binary: false, hits: [], paths: [] };

/**
 * Threads that read contents. The rules are other people's regular expressions and the contents a stranger's, so that
 * one may take for ever: it ends with its thread, and whoever waits here can still be interrupted.
 */
export class ThreadPool {
  readonly size = Math.min(MOST_THREADS, availableParallelism());
  readonly #data: ThreadData;
  readonly #fileMs: number;
  readonly #all = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  /**
   * @param known texts of secrets in use
   * @param ignore the text of `.secretlintignore`
   */
  constructor(known: readonly string[], ignore: string, fileMs = FILE_MS) {
    this.#data = { known, ignore, printKey: randomBytes(32) };
    this.#fileMs = fileMs;
  }

  /** Never rejects: what failed or took too long is told so, with the secrets in use that were found before. */
  async scan(bytes: Uint8Array, paths: readonly string[]): Promise<PoolReply> {
    let found = NOTHING;
    const reply = await this.#ask({ kind: 'scan', bytes, paths }, (first) => {
      found = first;
    });
    return reply?.kind === 'scanned' ? { ...reply, kind: 'scanned' } : { ...found, kind: 'failed' };
  }

  /** Which paths `.secretlintignore` names; undefined where its patterns take too long. */
  async ignored(paths: readonly string[]): Promise<boolean[] | undefined> {
    if (this.#data.ignore === '') return paths.map(() => false);
    const all: boolean[] = [];
    for (let from = 0; from < paths.length; from += PATHS_AT_ONCE) {
      const reply = await this.#ask({ kind: 'ignored', paths: paths.slice(from, from + PATHS_AT_ONCE) });
      if (reply?.kind !== 'ignored') return undefined;
      all.push(...reply.ignored);
    }
    return all;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((thread) => thread.terminate()));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Undefined where no answer came. */
  async #ask(request: Request, onFirst: (reply: ScanReply) => void = () => undefined): Promise<Reply | undefined> {
    const thread = await this.#take();
    if (thread === undefined) return undefined;
    const reply = await exchange(thread, request, onFirst, this.#fileMs);
    if (reply === undefined) {
      this.#forget(thread);
      await thread.terminate();
    } else {
      this.#idle.push(thread);
    }
    this.#waiting.shift()?.();
    return reply;
  }

  async #take(): Promise<Worker | undefined> {
    while (!this.#closed) {
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle;
      if (this.#all.size < this.size) return this.#start();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return undefined;
  }

  #forget(thread: Worker): void {
    this.#all.delete(thread);
    const place = this.#idle.indexOf(thread);
    if (place !== -1) this.#idle.splice(place, 1);
  }

  #start(): Worker {
    const thread = new Worker(new URL('./scan-thread.ts', import.meta.url), {
      workerData: this.#data,
      // Nothing there needs any, and DEBUG would have secretlint print what it reads.
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    this.#all.add(thread);
    thread.on('error', () => undefined).on('exit', () => this.#forget(thread));
    return thread;
  }
}

function exchange(
  thread: Worker,
  request: Request,
  onFirst: (reply: ScanReply) => void,
  limitMs: number,
): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const finish = (reply: Reply | undefined): void => {
      clearTimeout(timer);
      thread.off('message', onMessage).off('error', onEnd).off('exit', onEnd);
      resolve(reply);
    };
    const onMessage = (reply: Reply): void => {
      if (reply.kind === 'scanned' && !reply.last) onFirst(reply);
      else finish(reply);
    };
    const onEnd = (): void => finish(undefined);
    const timer = setTimeout(onEnd, limitMs);
    thread.on('message', onMessage).on('error', onEnd).on('exit', onEnd);
    thread.postMessage(request);
  });
}
