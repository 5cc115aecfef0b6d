import type { Command } from 'commander';
import { loadSettings } from '../config/load-settings.ts';
import { createLogger } from '../create-logger.ts';
import { openServingStore } from '../open-store.ts';

export function register(program: Command): void {
  program
    .command('serve')
    .description('receive webhooks until SIGTERM or SIGINT (what npm start does)')
    .option('--json', 'nothing but the log, which is JSON lines already')
    .action(async ({ json }: { json?: true }) => {
      // What lies in the data folder is personal: nobody but this user may read what is made from here on.
      process.umask(0o077);
      const settings = loadSettings({ env: process.env, cwd: process.cwd(), create: true });
      const output = createLogger(settings.logLevel);
      const opening = openServingStore(settings, output.logger);
      // Whoever takes it throws this; nobody has taken it yet.
      opening.catch(() => undefined);
      // Only now, since what loads this module keeps the thread busy, and the store is opened by another.
      const { serve } = await import('../main.ts');
      const stop = new AbortController();
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(signal));
      process.on('uncaughtException', (error) => {
        output.logger.fatal({ err: error }, 'a fault nobody foresaw: ending, so that a supervisor starts afresh');
        output.flush();
        process.exit(1);
      });
      process.exitCode = await serve(settings, output, {
        stop: stop.signal,
        opening,
        load: () => loadSettings({ env: process.env, cwd: process.cwd(), create: false, isServing: true }),
        notice: !settings.production && json !== true,
      });
      output.flush();
      process.exit();
    });
}
