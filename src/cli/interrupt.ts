/** Milliseconds a command has to say what it has done so far. */
const GRACE_MS = 2_000;

const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type StopSignal = keyof typeof CODES;

/** A command was ended by a signal before it was done; by the custom of shells its exit code is 128 and the signal's number. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: StopSignal;
  readonly exitCode: number;

  constructor(signal: StopSignal) {
    super(`ended by ${signal}`);
    this.signal = signal;
    this.exitCode = CODES[signal];
  }
}

/**
 * Aborts with an `Interrupted` at the first SIGINT or SIGTERM. From then on a signal does what it does by default, so
 * that a second one ends the process at once, and so does the end of the grace.
 *
 * Only for commands with something to put in order: to all others the default is right.
 */
export function interruptible(): { readonly signal: AbortSignal; release(): void } {
  const stop = new AbortController();
  const release = (): void => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, end);
  };
  const end = (name: NodeJS.Signals): void => {
    release();
    stop.abort(new Interrupted(name === 'SIGINT' ? 'SIGINT' : 'SIGTERM'));
    setTimeout(() => process.kill(process.pid, name), GRACE_MS).unref();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, end);
  return { signal: stop.signal, release };
}
