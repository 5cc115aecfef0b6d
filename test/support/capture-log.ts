import { EventEmitter, on } from 'node:events';

export type LogLine = Readonly<Record<string, unknown>>;

const PATIENCE_MS = 60_000;

/** The JSON lines of a receiver as they come. Fit to be pino's destination. */
export class CapturedLog {
  readonly lines: LogLine[] = [];
  readonly #arrivals = new EventEmitter();

  write(text: string): void {
    for (const line of text.split('\n')) {
      if (line === '') continue;
      this.lines.push(JSON.parse(line) as LogLine);
    }
    this.#arrivals.emit('line');
  }

  /** The lines of requests, one for each, after the first `from` lines of the log. */
  requests(from = 0): LogLine[] {
    return this.lines.slice(from).filter((line) => line['msg'] === 'request');
  }

  /** Resolves once `found` gives something other than `undefined`. */
  async waitFor<Found>(found: () => Found | undefined, what: string): Promise<Found> {
    const now = found();
    if (now !== undefined) return now;
    try {
      for await (const _ of on(this.#arrivals, 'line', { signal: AbortSignal.timeout(PATIENCE_MS) })) {
        const then = found();
        if (then !== undefined) return then;
      }
    } catch (error) {
      throw new Error(`the log never told: ${what}; it ends ${JSON.stringify(this.lines.slice(-5))}`, { cause: error });
    }
    throw new Error('unreachable');
  }

  /** Resolves with the first line of this message. */
  waitForMessage(message: string, from = 0): Promise<LogLine> {
    return this.waitFor(() => this.lines.slice(from).find(({ msg }) => msg === message), message);
  }

  /** Resolves with the lines of that many requests, or more where there are more. */
  waitForRequests(count: number, from = 0): Promise<LogLine[]> {
    return this.waitFor(() => {
      const lines = this.requests(from);
      return lines.length < count ? undefined : lines;
    }, `${count} requests`);
  }
}
