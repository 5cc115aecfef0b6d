import { writeSync } from 'node:fs';
import { errorCode } from './error-code.ts';

/** A write of up to 4,096 bytes into a pipe is not torn apart by another thread's (PIPE_BUF on Linux). */
const LINE_BYTES = 4_096;
const LINES_PER_SECOND = 200;
const WINDOW_MS = 1_000;
/** How often, and how many milliseconds each time, a thread waits for a reader that has taken only part of a line. */
const PARTIAL_TRIES = 50;
const PARTIAL_WAIT_MS = 1;

/** Lines as JSON texts without a line break. */
export interface LineForms {
  /** Stands in for a line that is too long; `start` is as much of it as fits. */
  readonly cut: (start: string, bytes: number) => string;
  readonly dropped: (count: number) => string;
}

/**
 * Writes log lines from a thread straight to a file descriptor: through Worker's own stdout they would pass through the
 * main thread's event loop, and a handler that floods its log would hold up answers. Counted, so that it cannot fill a
 * disk either.
 */
export class LineWriter {
  readonly #fd: number;
  readonly #forms: LineForms;
  #windowEnd = 0;
  #written = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number, forms: LineForms) {
    this.#fd = fd;
    this.#forms = forms;
  }

  /** Never throws and keeps nothing: a line that the reader of the log does not take is counted and gone. */
  write(line: string): void {
    const now = performance.now();
    if (now >= this.#windowEnd) this.#openWindow(now);
    if (this.#written >= LINES_PER_SECOND) {
      this.#drop();
      return;
    }
    this.#written += 1;
    this.#put(this.#fit(line));
  }

  #openWindow(now: number): void {
    this.#windowEnd = now + WINDOW_MS;
    this.#written = 0;
    if (this.#dropped === 0) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#put(this.#forms.dropped(count));
  }

  #drop(): void {
    this.#dropped += 1;
    // Tells of the drop even when no further line comes to open a window.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#openWindow(performance.now());
    }, WINDOW_MS).unref();
  }

  #fit(line: string): string {
    const bytes = Buffer.byteLength(line);
    if (bytes < LINE_BYTES) return line;
    // A UTF-16 unit takes 6 bytes at the most once it is escaped, and the line around it needs some room.
    return this.#forms.cut(line.slice(0, Math.floor(LINE_BYTES / 6) - 100).toWellFormed(), bytes);
  }

  #put(line: string): void {
    let rest = Buffer.from(`${line}\n`);
    for (let tries = 0; tries < PARTIAL_TRIES; tries += 1) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
        if (rest.byteLength === 0) return;
      } catch (error) {
        // EAGAIN: the pipe is full and set not to block. Anything else: nobody reads any more.
        const isFull = errorCode(error) === 'EAGAIN';
        const isTorn = rest.byteLength < Buffer.byteLength(line) + 1;
        if (!isFull || !isTorn) {
          this.#dropped += 1;
          return;
        }
      }
      sleep(PARTIAL_WAIT_MS);
    }
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
