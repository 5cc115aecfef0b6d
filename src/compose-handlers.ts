import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Metrics } from './compose-metrics.ts';
import type { Settings } from './config/settings.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { withDotenv } from './dispatch/handler-environment.ts';
import { HandlerSource } from './dispatch/handler-source.ts';
import { type LoadedHandler, type LoadedHandlers, loadHandlers, logFindings } from './dispatch/load-handlers.ts';
import type { GroupCommit } from './inbox/group-commit.ts';
import type { HandlerRoute, Store } from './inbox/store.ts';

/** Milliseconds that the start waits for handler files where their handlers are known from an earlier one. */
const START_WAIT_MS = 2_000;

/** The handlers of this process, whether or not all files can be used. */
export interface Handlers {
  readonly loaded: () => readonly LoadedHandler[];
  readonly routes: () => readonly HandlerRoute[];
  /** Whether handlers of the store that this process has not loaded may be its own. */
  readonly isIncomplete: () => boolean;
  /** Files that cannot be used, or not yet. */
  readonly faulty: () => number;
  /** Calls back when more of them are loaded. */
  onChange(listener: () => void): void;
  stop(): void;
}

/** @throws SettingsError where the set-up is strict and a file cannot be used */
export async function composeHandlers(
  settings: Settings,
  store: Pick<Store, 'registeredHandlers'>,
  logger: Logger,
  strict: LoadedHandlers | undefined,
): Promise<Handlers> {
  if (strict !== undefined) return fixedHandlers(strict, logger);
  const listeners: (() => void)[] = [];
  const known = await store.registeredHandlers().catch((err: unknown) => {
    logger.warn({ err }, 'the store did not say which handlers it knows');
    return [];
  });
  const source = new HandlerSource({
    dir: settings.handlers.dir,
    known,
    logger,
    options: { env: withDotenv(settings.handlers) },
    onChange: () => {
      for (const listener of listeners) listener();
    },
  });
  const loading = source.load();
  // Deliveries of a handler that no start has known cannot wait for it: its events come once it is loaded.
  if (known.length === 0) await loading;
  else {
    const isSlow = await Promise.race([loading.then(() => false), pause(START_WAIT_MS, true)]);
    if (isSlow) logger.warn('the handler files are not loaded yet; events are received, and their deliveries wait');
    loading.catch((err: unknown) => logger.error({ err }, 'the handler files could not be read'));
  }
  return {
    loaded: () => source.handlers,
    routes: () => source.routes,
    isIncomplete: () => source.isIncomplete,
    faulty: () => source.faulty,
    onChange: (listener) => void listeners.push(listener),
    stop: () => source.stop(),
  };
}

/** Where a faulty file ends the start, the files are loaded while the store opens. */
export function loadStrictly({ handlers }: Settings): Promise<LoadedHandlers | undefined> {
  return handlers.strict ? loadHandlers(handlers.dir, { env: withDotenv(handlers) }) : Promise.resolve(undefined);
}

function fixedHandlers(found: LoadedHandlers, logger: Logger): Handlers {
  logFindings(found, logger);
  const { handlers } = found;
  return {
    loaded: () => handlers,
    routes: () => handlers,
    isIncomplete: () => false,
    faulty: () => 0,
    onChange: () => undefined,
    stop: () => undefined,
  };
}

interface DispatchParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly commits: GroupCommit;
  readonly handlers: Handlers;
  readonly owner: string;
}

export function composeDispatcher({
  settings,
  store,
  metrics,
  logger,
  commits,
  handlers,
  owner,
}: DispatchParts): Dispatcher {
  const dispatcher = new Dispatcher({
    store,
    handlers: handlers.loaded(),
    keepsOthers: handlers.isIncomplete,
    logger,
    ...(settings.store.kind === 'postgres' ? { owner } : {}),
    settings: settings.handlers,
    env: withDotenv(settings.handlers),
    logLevel: settings.logLevel,
    commitOutcome: async (outcome) => {
      await commits.outcome(outcome);
      metrics.events.auditEntries.inc({ result: outcome.audit.result });
    },
    hooks: {
      onStart: ({ receivedAt, attempt, replay }) => {
        if (attempt === 1 && !replay) metrics.deliveries.wait.observe(Math.max(0, (Date.now() - receivedAt) / 1_000));
      },
      onRun: (handler, result, seconds) => {
        metrics.deliveries.runs.inc({ handler, result });
        metrics.deliveries.duration.observe({ handler }, seconds);
      },
    },
  });
  store.onForeignChange(() => dispatcher.wake());
  handlers.onChange(() => void dispatcher.take(handlers.loaded()));
  return dispatcher;
}
