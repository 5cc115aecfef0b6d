import type { Command } from 'commander';
import { loadSettings } from '../config/load-settings.ts';
import { createLogger } from '../create-logger.ts';
import { serve } from '../main.ts';

export function register(program: Command): void {
  program
    .command('serve')
    .description('receive webhooks until SIGTERM or SIGINT (what npm start does)')
    .action(async () => {
      // What lies in the data folder is personal: nobody but this user may read what is made from here on.
      process.umask(0o077);
      const settings = loadSettings({ env: process.env, cwd: process.cwd(), create: true });
      const output = createLogger(settings.logLevel);
      const stop = new AbortController();
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(signal));
      process.on('uncaughtException', (error) => {
        output.logger.fatal({ err: error }, 'a fault nobody foresaw: ending, so that a supervisor starts afresh');
        output.flush();
        process.exit(1);
      });
      process.exitCode = await serve(settings, output, stop.signal);
      output.flush();
      process.exit();
    });
}
