import { Worker } from 'node:worker_threads';
import { type Interpretation, interpretBody, LARGE_BODY_BYTES, salvageBody } from '../events/interpret-body.ts';
import type { SplitPage } from '../events/split-payloads.ts';
import type { FromBodyThread, ToBodyThread } from './body-thread.ts';

/** Milliseconds for one body, those included for which it waits for others. Half a second is much for one of 10 MB. */
const LIMIT_MS = 10_000;
/** Milliseconds without work after which the thread ends, and gives its memory back. */
const IDLE_MS = 10_000;
/** Of the thread's heap: for itself, and for each byte of a body. At the worst that is a character of two bytes, which is held
 * five times: in the text, in a string of the payload, in the canonical form of that string twice, and while it is decoded. */
const BASE_HEAP_MB = 64;
const HEAP_PER_BYTE = 24;
/** See handler-worker.ts. */
const YOUNG_GENERATION_MB = 8;
const MB = 1_048_576;

export interface BodyInterpreterOptions {
  readonly bodyLimitBytes: number;
  /** A body is kept without having been read as a whole. */
  readonly onSalvaged: (reason: string) => void;
  /** Milliseconds. Default: 10,000. */
  readonly limitMs?: number;
  /** Default: that of large bodies. */
  readonly startThread?: (heapMb: number) => Worker;
}

type Work =
  | { readonly bytes: Uint8Array; readonly charset: string | null }
  | { readonly page: Uint8Array<ArrayBuffer> };

interface Task {
  readonly id: number;
  readonly work: Work;
  readonly end: (result: FromBodyThread['result']) => void;
  readonly giveUp: (reason: string) => void;
  readonly timer: NodeJS.Timeout;
}

/** A page of the delivery log could not be read; one of fewer attempts may be. */
export class PageNotRead extends Error {
  override readonly name = 'PageNotRead';
}

/**
 * Interprets bodies: small ones at once, large ones one by one in a thread. Those that wait are held by their requests, so that
 * MAX_BUFFERED bounds them; the thread has a copy of one. A body whose turn ends badly is salvaged, never refused.
 */
export class BodyInterpreter {
  readonly #options: BodyInterpreterOptions;
  /** In order; the first is in the thread. */
  readonly #tasks: Task[] = [];
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(options: BodyInterpreterOptions) {
    this.#options = options;
  }

  /** Not a promise for a small body, of which there are thousands a second. Never throws or rejects. */
  interpret(bytes: Uint8Array, charset: string | null): Interpretation | Promise<Interpretation> {
    if (bytes.byteLength <= LARGE_BODY_BYTES) return interpretBody(bytes, charset);
    if (this.#isClosed) return this.#salvage(bytes, charset, 'the receiver is stopping');
    return new Promise((resolve) => {
      const giveUp = (reason: string): void => resolve(this.#salvage(bytes, charset, reason));
      this.#add({ bytes, charset }, (result) => resolve(result as Interpretation), giveUp);
    });
  }

  /**
   * Takes the payloads out of a large page of the delivery log.
   *
   * @param page all of its memory, not to be used afterwards
   * @throws PageNotRead
   */
  splitPage(page: Uint8Array<ArrayBuffer>): Promise<SplitPage> {
    return new Promise((resolve, reject) => {
      const giveUp = (reason: string): void => reject(new PageNotRead(reason));
      if (this.#isClosed) giveUp('the receiver is stopping');
      else this.#add({ page }, (result) => resolve(result as SplitPage), giveUp);
    });
  }

  /** What waits is salvaged. Resolves when the thread has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    for (const task of this.#tasks.splice(0)) giveUp(task, 'the receiver is stopping');
    await this.#endThread();
  }

  #add(work: Work, end: Task['end'], giveUp: Task['giveUp']): void {
    this.#lastId += 1;
    const id = this.#lastId;
    const timer = setTimeout(() => this.#expire(task), this.#options.limitMs ?? LIMIT_MS);
    const task = { id, work, end, giveUp, timer };
    this.#tasks.push(task);
    if (this.#tasks.length === 1) this.#post(task);
  }

  #post(task: Task): void {
    const { id, work } = task;
    clearTimeout(this.#idle);
    try {
      this.#thread ??= this.#start();
    } catch {
      this.#tasks.shift();
      giveUp(task, 'no thread could be started');
      this.#goOn();
      return;
    }
    if ('page' in work) {
      this.#thread.postMessage({ id, page: work.page } satisfies ToBodyThread, [work.page.buffer]);
      return;
    }
    // A copy that is handed over: the bytes are still to be stored, whatever becomes of the thread.
    const bytes = new Uint8Array(work.bytes);
    this.#thread.postMessage({ id, bytes, charset: work.charset } satisfies ToBodyThread, [bytes.buffer]);
  }

  #start(): Worker {
    const heapMb = BASE_HEAP_MB + Math.ceil((HEAP_PER_BYTE * this.#options.bodyLimitBytes) / MB);
    const thread = (this.#options.startThread ?? startThread)(heapMb);
    // Requests keep the process running, and their answers wait for it; nothing else does.
    thread.unref();
    let reason = 'its thread ended';
    thread.on('message', (message: FromBodyThread) => this.#settle(message));
    // By its code alone: a message may quote what the thread was working on.
    thread.on('error', (error) => {
      if (typeof error === 'object' && error !== null && 'code' in error)
        reason = `its thread ended (${String(error.code)})`;
    });
    thread.on('exit', () => this.#lose(thread, reason));
    return thread;
  }

  #settle({ id, result }: FromBodyThread): void {
    const [task] = this.#tasks;
    if (task === undefined || task.id !== id) return;
    this.#tasks.shift();
    clearTimeout(task.timer);
    task.end(result);
    this.#goOn();
  }

  #goOn(): void {
    const [next] = this.#tasks;
    if (next !== undefined) this.#post(next);
    else this.#idle = setTimeout(() => void this.#endThread(), IDLE_MS).unref();
  }

  #expire(task: Task): void {
    const at = this.#tasks.indexOf(task);
    this.#tasks.splice(at, 1);
    // The thread is at work on the first, and on no other.
    if (at === 0) void this.#endThread();
    giveUp(task, 'it took too long');
    if (at === 0) this.#goOn();
  }

  #lose(thread: Worker, reason: string): void {
    if (thread !== this.#thread) return;
    this.#thread = undefined;
    const task = this.#tasks.shift();
    if (task === undefined) return;
    giveUp(task, reason);
    this.#goOn();
  }

  async #endThread(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #salvage(bytes: Uint8Array, charset: string | null, reason: string): Interpretation {
    this.#options.onSalvaged(reason);
    return salvageBody(bytes, charset);
  }
}

function giveUp(task: Task, reason: string): void {
  clearTimeout(task.timer);
  task.giveUp(reason);
}

function startThread(heapMb: number): Worker {
  return new Worker(new URL('./body-thread.ts', import.meta.url), {
    name: 'bodies',
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
}
