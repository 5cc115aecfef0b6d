import type { Settings } from '../config/settings.ts';
import type { ClaimedDelivery } from '../inbox/store.ts';
import type { KeptModules } from './kept-modules.ts';

/** What every thread of ours is told at its start. */
export interface ThreadSettings {
  readonly logLevel: Settings['logLevel'];
  /** File descriptor that log lines are written to. */
  readonly logFd: number;
}

export interface HandlerThreadOptions extends ThreadSettings {
  /** Absolute path of the handler file. */
  readonly file: string;
  /** The name the file's handler had at the start of the service. */
  readonly handler: string;
  /** The code as it was checked. */
  readonly modules: KeptModules;
  /** Shared memory, readable when the thread yields no more; see {@link MARK}. */
  readonly marks: Int32Array;
}

/** Places in the marks. Each holds the number of a run, or 0; run numbers grow within a thread. */
export const MARK = {
  /** The newest run whose handler was called. */
  begun: 0,
  /** The run whose `handle` is on the stack, in its part before the first `await`. */
  onStack: 1,
  /** The run that called process.exit. */
  exited: 2,
} as const;

export type AbortCause = 'timeout' | 'stop';

export type ToHandlerThread =
  /** `beginBefore`: on the monotonic clock, in milliseconds; one that comes later than that is left alone, for somebody else may have it. */
  | { readonly run: number; readonly delivery: ClaimedDelivery; readonly beginBefore: number }
  | { readonly abort: number; readonly cause: AbortCause }
  | { readonly ping: number };

/** An error as it leaves a thread: masked and cut. */
export interface FailureReport {
  /** Kept with the delivery and shown to operators. */
  readonly text: string;
  /** File and line in the user's code; holds nothing of an event, so it may be logged. */
  readonly where?: string;
}

export type FromHandlerThread =
  | { readonly ready: true }
  | { readonly loadFailure: FailureReport }
  /** Its handler is about to be called. */
  | { readonly begun: number }
  /** `aborted`: the signal had been aborted before the handler came to its end. */
  | { readonly settled: number; readonly failure?: FailureReport; readonly aborted: boolean }
  /** An error that nothing caught, and the run it came from; 0: none that is running. */
  | { readonly stray: number; readonly failure: FailureReport }
  | { readonly pong: number };

export interface LoaderThreadOptions extends ThreadSettings {
  /** Absolute paths. */
  readonly files: readonly string[];
  /** The folder they are in. */
  readonly dir: string;
  /** Code that was kept before. */
  readonly modules: KeptModules;
}

export interface HandlerFacts {
  readonly name: string;
  readonly events: readonly string[];
  readonly ordered: boolean;
  /** Its thread may be ended while it has nothing to do. */
  readonly idle: boolean;
}

/** `file` is an index into `files`. */
export type FromLoaderThread =
  | { readonly loading: number }
  /** `modules`: what was loaded since the last message. */
  | { readonly loaded: number; readonly facts: HandlerFacts; readonly modules: KeptModules }
  | { readonly failed: number; readonly reasons: readonly string[] };
