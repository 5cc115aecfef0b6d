import pino, { type DestinationStream, type Logger } from 'pino';
import type { Settings } from './config/settings.ts';

/** Bytes waiting for a slow reader of stdout; beyond it lines are dropped rather than memory filled. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface LogOutput {
  readonly logger: Logger;
  /** Writes what still waits; for the very end of the process. */
  flush(): void;
}

/** Under load one write takes many lines along; a line waits so long for others, milliseconds, at the most. */
const GATHER_BYTES = 32 * 1024;
const WRITE_BYTES = 128 * 1024;
const GATHER_MS = 50;

/** JSON lines on stdout, never in the way of a request. */
export function createLogger(level: Settings['logLevel'], file: string | number = 1): LogOutput {
  const destination = pino.destination({
    dest: file,
    sync: false,
    minLength: GATHER_BYTES,
    maxWrite: WRITE_BYTES,
    periodicFlush: GATHER_MS,
    maxLength: MAX_WAITING_BYTES,
  });
  // A closed pipe or a full disk must not end the service, and there is nobody left to tell. Nor may it be destroyed,
  // since a line to a destroyed one throws; what it cannot write it drops beyond its limit.
  destination.on('error', () => undefined);
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination as DestinationStream,
  );
  return {
    logger,
    flush: () => {
      try {
        destination.flushSync();
      } catch (error) {
        // Not open yet, or the reader is gone: the lines are lost with it.
        logger.silent(error);
      }
    },
  };
}
