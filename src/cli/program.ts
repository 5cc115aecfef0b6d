import { Command } from 'commander';
import { VERSION } from '../config/product.ts';

/** Columns of the help at the most, however wide the terminal is. */
const HELP_WIDTH = 80;
/** Columns of a description below which it is not broken into lines. */
const LEAST_WIDTH = 20;

/** In the order of the help. */
export const COMMANDS = {
  serve: () => import('./serve.ts'),
  send: () => import('./send.ts'),
  events: () => import('./events.ts'),
  dead: () => import('./dead.ts'),
  quarantine: () => import('./quarantine.ts'),
  audit: () => import('./audit.ts'),
  backup: () => import('./backup.ts'),
  store: () => import('./store.ts'),
  secrets: () => import('./secrets.ts'),
  webhooks: () => import('./webhooks.ts'),
  reconcile: () => import('./reconcile.ts'),
  doctor: () => import('./doctor.ts'),
  'fake-instantly': () => import('./fake-instantly.ts'),
} as const satisfies Record<string, () => Promise<{ register(program: Command): void }>>;

/** Without its commands. */
export function newProgram(): Command {
  return new Command('instantly-receiver')
    .description('Receives Instantly webhooks: proves the caller, stores before it answers, audits, runs handlers.')
    .version(VERSION, '-V, --version', 'print the version')
    .configureHelp({ minWidthToWrap: LEAST_WIDTH })
    .configureOutput({
      getOutHelpWidth: () => Math.min(process.stdout.columns ?? HELP_WIDTH, HELP_WIDTH),
      getErrHelpWidth: () => Math.min(process.stderr.columns ?? HELP_WIDTH, HELP_WIDTH),
    })
    .showHelpAfterError('(see --help)')
    .exitOverride();
}
