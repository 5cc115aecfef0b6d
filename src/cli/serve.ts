import type { Command } from 'commander';
import { loadSettings } from '../config/load-settings.ts';

export function register(program: Command): void {
  program
    .command('serve')
    .description('receive webhooks until SIGTERM or SIGINT (what npm start does)')
    .option('--json', 'nothing but the log, which is JSON lines already')
    .action(async ({ json }: { json?: true }) => {
      // Here and not above, because loading all of the service takes other commands longer than what they do.
      const [{ serve }, { createLogger }] = await Promise.all([import('../main.ts'), import('../create-logger.ts')]);
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
      process.exitCode = await serve(settings, output, {
        stop: stop.signal,
        load: () => loadSettings({ env: process.env, cwd: process.cwd(), create: false, isServing: true }),
        notice: !settings.production && json !== true,
      });
      output.flush();
      process.exit();
    });
}
