import pino, { type DestinationStream, type Logger } from 'pino';
import type { Settings } from './config/settings.ts';

/** Bytes waiting for a slow reader of stdout; beyond it lines are dropped rather than memory filled. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface LogOutput {
  readonly logger: Logger;
  /** Writes what still waits; for the very end of the process. */
  flush(): void;
}

/** JSON lines on stdout, written as soon as the line before is out, never in the way of a request. */
export function createLogger(level: Settings['logLevel'], file: string | number = 1): LogOutput {
  const destination = pino.destination({ dest: file, sync: false, minLength: 0, maxLength: MAX_WAITING_BYTES });
  // A closed pipe must not end the service; there is nobody left to tell.
  destination.on('error', () => destination.destroy());
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
