import os from 'node:os';
import type { WorkerOptions as ThreadOptions } from 'node:worker_threads';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import type { ClaimedDelivery } from '../inbox/store.ts';
import { errorCode } from './error-code.ts';
import type { KeptModules } from './kept-modules.ts';
import { heapLimit, type RunLimits } from './limits.ts';
import { type PrivateThread, startPrivateThread } from './private-channel.ts';
import {
  type AbortCause,
  type FailureReport,
  type FromHandlerThread,
  type HandlerThreadOptions,
  MARK,
  type ThreadSettings,
  type ToHandlerThread,
} from './thread-protocol.ts';

/**
 * A small young generation: V8 lets a thread that has filled its heap run some 16 MB further until it is stopped, and a
 * scavenge that moves more than that at once into the old generation ends the whole process instead (seen at the
 * default size with Node 24 and 26; never at 8).
 */
const YOUNG_GENERATION_MB = 8;
/** Bytes from which memory is cheaper handed over than cloned. */
const MOVED_BYTES = 64 * 1024;

export interface WorkerOptions extends ThreadSettings {
  readonly handler: string;
  /** Absolute path. */
  readonly file: string;
  readonly modules: KeptModules;
  readonly env: NodeJS.ProcessEnv;
  readonly limits: RunLimits;
  /** Megabytes of heap; by default a quarter of the memory there is, 1,024 at the most. */
  readonly heapMb?: number;
}

export interface WorkerListener {
  ready(worker: HandlerWorker): void;
  /** A run's handler is about to be called. */
  begun(worker: HandlerWorker, run: number): void;
  /** The file could not be loaded; the thread is of no use. */
  unloadable(worker: HandlerWorker, failure: FailureReport): void;
  settled(worker: HandlerWorker, run: number, end: { failure?: FailureReport; aborted: boolean }): void;
  /** An error that nothing caught; `run` is 0 where it came from no running one. */
  stray(worker: HandlerWorker, run: number, failure: FailureReport): void;
  /** Once, as the last call. */
  ended(worker: HandlerWorker, reason: string): void;
}

/** One thread of one handler, seen from the main thread. */
export class HandlerWorker {
  readonly #thread: PrivateThread<ToHandlerThread>;
  readonly #marks = new Int32Array(new SharedArrayBuffer(Object.keys(MARK).length * Int32Array.BYTES_PER_ELEMENT));
  readonly #endMs: number;
  readonly #ended: Promise<void>;
  #isReady = false;
  #lastPing = 0;
  #lastPong = 0;

  constructor(options: WorkerOptions, listener: WorkerListener) {
    const { handler, file, modules, logLevel, logFd, env, limits, heapMb } = options;
    const data: HandlerThreadOptions = { handler, file, modules, logLevel, logFd, marks: this.#marks };
    this.#endMs = limits.endMs;
    const threadOptions: ThreadOptions = {
      env,
      // Nothing is printed through the main thread; see log-from-thread.ts.
      stdout: true,
      stderr: true,
      name: `handler-${handler}`,
      resourceLimits: {
        maxOldGenerationSizeMb: heapMb ?? heapLimit(process.constrainedMemory(), os.totalmem()),
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    };
    this.#thread = startPrivateThread<FromHandlerThread, ToHandlerThread>(
      new URL('./handler-thread.ts', import.meta.url),
      data,
      threadOptions,
      (message) => this.#hear(message, listener),
    );
    const { worker } = this.#thread;
    let reason = 'it ended its thread';
    this.#ended = new Promise((resolve) => {
      worker.on('error', (error) => {
        reason = explain(error);
      });
      worker.on('exit', () => {
        resolve();
        listener.ended(this, reason);
      });
    });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** The number of the newest run whose handler was called. */
  get begun(): number {
    return Atomics.load(this.#marks, MARK.begun);
  }

  /** The run whose `handle` is on the stack in its first, synchronous part; 0: none. */
  get onStack(): number {
    return Atomics.load(this.#marks, MARK.onStack);
  }

  /** The run that called process.exit; 0: none that is known. */
  get exited(): number {
    return Atomics.load(this.#marks, MARK.exited);
  }

  /** The thread leaves the run alone if it does not get to it within `beginWithinMs`. */
  start(run: number, delivery: ClaimedDelivery, beginWithinMs: number): void {
    // A view is cloned with all that lies under it, which may be a whole pool of buffers; a copy of a large one that is handed over
    // takes half the time of a clone. The delivery keeps its own: the run may begin anew in another thread.
    const isLarge = delivery.body.byteLength >= MOVED_BYTES;
    const isWhole = delivery.body.byteLength === delivery.body.buffer.byteLength;
    const body = isWhole && !isLarge ? delivery.body : new Uint8Array(delivery.body);
    const beginBefore = monotonicMilliseconds() + beginWithinMs;
    this.#send({ run, delivery: { ...delivery, body }, beginBefore }, isLarge ? [body.buffer as ArrayBuffer] : []);
  }

  abort(run: number, cause: AbortCause): void {
    this.#send({ abort: run, cause });
  }

  /** Gives a function that says whether the thread has yielded since. */
  ping(): () => boolean {
    this.#lastPing += 1;
    const ping = this.#lastPing;
    this.#send({ ping });
    return () => this.#lastPong >= ping;
  }

  /** Resolves with whether the thread has ended within the limit: one inside a system call ends when that returns. */
  async end(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, this.#endMs, false);
    });
    void this.#thread.worker.terminate();
    const ended = await Promise.race([this.#ended.then(() => true), late]);
    clearTimeout(timer);
    // It must not keep the process from ending.
    if (!ended) this.#thread.unref();
    return ended;
  }

  #send(message: ToHandlerThread, move: ArrayBuffer[] = []): void {
    this.#thread.post(message, move);
  }

  #hear(message: FromHandlerThread, listener: WorkerListener): void {
    if ('begun' in message) listener.begun(this, message.begun);
    else if ('settled' in message) listener.settled(this, message.settled, message);
    else if ('stray' in message) listener.stray(this, message.stray, message.failure);
    else if ('loadFailure' in message) listener.unloadable(this, message.loadFailure);
    else if ('pong' in message) this.#lastPong = message.pong;
    else if ('ready' in message) {
      this.#isReady = true;
      listener.ready(this);
    }
  }
}

/** What ends a thread is told by its kind alone: a message may quote what the thread was working on. */
function explain(error: unknown): string {
  const code = errorCode(error) ?? 'unknown error';
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it filled the memory of its thread' : `its thread ended (${code})`;
}
