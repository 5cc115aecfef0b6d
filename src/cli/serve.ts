import type { Command } from 'commander';
import { loadSettings } from '../config/load-settings.ts';
import { takeEnvironment } from '../config/take-environment.ts';
import { createLogger, type LogOutput } from '../create-logger.ts';
import { endDespiteThreads } from '../end-despite-threads.ts';
import { openServingStore } from '../open-store.ts';

/** Milliseconds for the last lines of the log, and those after a signal in which even they are given up. */
const FLUSH_MS = 2_000;
const LEAST_FLUSH_MS = 300;
const END_MS = 9_700;
/** Milliseconds within which a second signal is the same one: npm hands on what the terminal has sent to everybody. */
const SAME_SIGNAL_MS = 500;

const SHOWN =
  'the secrets of the environment could not be cleared from /proc/self/environ, so that handlers can read them there; give them by .env or NAME_FILE';

export function register(program: Command): void {
  program
    .command('serve')
    .description('receive webhooks until SIGTERM or SIGINT (what npm start does)')
    .option('--json', 'nothing but the log, which is JSON lines already')
    .action(async ({ json }: { json?: true }) => {
      // Before anything else: as process 1 of a container it would not even be ended by a signal that comes during the start.
      const signals = listenForSignals();
      // What lies in the data folder is personal: nobody but this user may read what is made from here on.
      process.umask(0o077);
      const { env, isShown } = takeEnvironment();
      const settings = loadSettings({ env, cwd: process.cwd(), create: true });
      const output = createLogger(settings.logLevel);
      if (isShown) output.logger.warn(SHOWN);
      endAtStrayError(output);
      const opening = openServingStore(settings, output.logger);
      // Whoever takes it throws this; nobody has taken it yet.
      opening.catch(() => undefined);
      try {
        // Only now, since what loads this module keeps the thread busy, and the store is opened by another.
        const { serve } = await import('../main.ts');
        const hasEnded = await serve(settings, output.logger, {
          ...signals,
          opening,
          load: () => loadSettings({ env, cwd: process.cwd(), create: false, isServing: true }),
          notice: settings.production || json === true ? undefined : env,
        });
        await end(output, 0, { hasEnded, limitMs: signals.flushLimitMs() });
      } catch (error) {
        await output.flush(FLUSH_MS);
        throw error;
      }
    });
}

interface Signals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** Aborted by the second one. */
  readonly hurry: AbortSignal;
  readonly flushLimitMs: () => number;
}

function listenForSignals(): Signals {
  const stop = new AbortController();
  const hurry = new AbortController();
  let stoppedAt = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!stop.signal.aborted) {
        stoppedAt = performance.now();
        stop.abort(signal);
      } else if (performance.now() - stoppedAt > SAME_SIGNAL_MS) hurry.abort(signal);
    });
  }
  const flushLimitMs = (): number => {
    const leftMs = END_MS - (performance.now() - stoppedAt);
    return hurry.signal.aborted ? LEAST_FLUSH_MS : Math.min(FLUSH_MS, Math.max(LEAST_FLUSH_MS, leftMs));
  };
  return { stop: stop.signal, hurry: hurry.signal, flushLimitMs };
}

/** Also for a rejection that nothing handles, which Node makes such an error of. */
function endAtStrayError(output: LogOutput): void {
  let isEnding = false;
  process.on('uncaughtException', (error) => {
    if (isEnding) return;
    isEnding = true;
    setTimeout(() => endDespiteThreads(1), 2 * FLUSH_MS);
    output.logger.fatal({ err: error }, 'a fault nobody foresaw: ending, so that a supervisor starts afresh');
    void end(output, 1, { hasEnded: true, limitMs: FLUSH_MS });
  });
}

/** Whatever becomes of the log's last lines. */
async function end(
  output: LogOutput,
  exitCode: number,
  { hasEnded, limitMs }: { readonly hasEnded: boolean; readonly limitMs: number },
): Promise<never> {
  const isTaken = await output.flush(limitMs);
  if (!hasEnded || !isTaken) endDespiteThreads(exitCode);
  process.exit(exitCode);
}
