import type { Logger } from 'pino';
import type { RunFailure } from './run-outcome.ts';

export type DispatchLogger = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** A bounded set of words. */
export type RunResult = 'done' | 'released' | RunFailure;

/** What the metrics hear of. */
export interface DispatchHooks {
  /** An attempt begins. `receivedAt`: epoch milliseconds at which its event was accepted. */
  readonly onStart?: (attempt: { handler: string; receivedAt: number; attempt: number; replay: boolean }) => void;
  /** An attempt has ended. */
  readonly onRun?: (handler: string, result: RunResult, seconds: number) => void;
}
