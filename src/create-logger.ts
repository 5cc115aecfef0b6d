import { once } from 'node:events';
import pino, { type Logger } from 'pino';
import type { Settings } from './config/settings.ts';

/** Bytes waiting for a slow reader of stdout; beyond it lines are dropped rather than memory filled. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface LogOutput {
  readonly logger: Logger;
  /**
   * Waits for what is still to be written, for the end of the process. Not synchronously: a write to a full pipe or a stopped
   * terminal returns when it likes.
   *
   * @returns whether the reader has taken all of it; if not, a thread may be inside a system call
   */
  flush(limitMs: number): Promise<boolean>;
}

const WRITE_BYTES = 128 * 1024;
/** UTF-16 units after which what was gathered is handed on. */
const GATHER_LENGTH = 32 * 1024;
/** Milliseconds that a line waits for others at the most. */
const GATHER_MS = 50;

/** JSON lines on stdout, never in the way of a request. */
export function createLogger(level: Settings['logLevel'], file: string | number = 1): LogOutput {
  const destination = pino.destination({
    dest: file,
    sync: false,
    maxWrite: WRITE_BYTES,
    maxLength: MAX_WAITING_BYTES,
  });
  // A closed pipe or a full disk must not end the service, and there is nobody left to tell. Nor may it be destroyed,
  // since a line to a destroyed one throws; what it cannot write it drops beyond its limit.
  // pino calls it as the process exits, and with a full disk or a reader that has stalled it never returns.
  destination.flushSync = () => undefined;
  let isWriting = false;
  let isGone = false;
  destination.on('drain', () => {
    isWriting = false;
  });
  destination.on('error', (error: NodeJS.ErrnoException) => {
    isWriting = false;
    isGone = error.code === 'EPIPE';
  });
  const lines = new GatheredLines({
    write: (text) => {
      if (isGone) return;
      isWriting = true;
      destination.write(text);
    },
  });
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, lines);
  return {
    logger,
    flush: async (limitMs) => {
      lines.flush();
      if (!isWriting) return true;
      // A failed write loses its lines, and leaves nothing behind that could hold up the end.
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), limitMs);
      await once(destination, 'drain', { signal: limit.signal }).catch(() => undefined);
      clearTimeout(timer);
      return !isWriting;
    },
  };
}

export interface LineTarget {
  write(text: string): unknown;
}

/**
 * Hands lines on many at a time, each run of them as one text. sonic-boom gathers too, and measures all that it has gathered with
 * every line: a quarter of what the receiver allocated under load went there.
 */
export class GatheredLines {
  readonly #target: LineTarget;
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(target: LineTarget) {
    this.#target = target;
  }

  write(line: string): void {
    this.#text += line;
    if (this.#text.length >= GATHER_LENGTH) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), GATHER_MS).unref();
  }

  /** Hands on what still waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = '';
    if (text !== '') this.#target.write(text);
  }
}
