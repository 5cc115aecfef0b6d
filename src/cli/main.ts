import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { SettingsError } from '../errors/problem.ts';
import { register as registerAudit } from './audit.ts';
import { register as registerBackup } from './backup.ts';
import { register as registerDead } from './dead.ts';
import { register as registerDoctor } from './doctor.ts';
import { register as registerEvents } from './events.ts';
import { register as registerFakeInstantly } from './fake-instantly.ts';
import { Interrupted } from './interrupt.ts';
import { register as registerQuarantine } from './quarantine.ts';
import { register as registerReconcile } from './reconcile.ts';
import { register as registerSecrets } from './secrets.ts';
import { register as registerSend } from './send.ts';
import { register as registerServe } from './serve.ts';
import { register as registerStore } from './store.ts';
import { register as registerWebhooks } from './webhooks.ts';

/** Exit codes: sysexits.h names 78 EX_CONFIG. */
const FAILED = 1;
const WRONG_USAGE = 2;
const BAD_SETTINGS = 78;

const program = new Command('instantly-receiver')
  .description('Receives Instantly webhooks: proves the caller, stores before it answers, audits, runs handlers.')
  .version(readVersion(), '-V, --version', 'print the version')
  .showHelpAfterError('(see --help)')
  .exitOverride();

registerServe(program);
registerSend(program);
registerEvents(program);
registerDead(program);
registerQuarantine(program);
registerAudit(program);
registerBackup(program);
registerStore(program);
registerSecrets(program);
registerWebhooks(program);
registerReconcile(program);
registerDoctor(program);
registerFakeInstantly(program);

// Whoever read the output has seen enough (`| head`). What was found out by then still decides how we end.
process.stdout.on('error', (error) => onBrokenPipe(error, () => process.exit()));
process.stderr.on('error', (error) => onBrokenPipe(error, () => undefined));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Our own `command.error()` says its code; whatever else commander ends with is about how it was called.
    if (error.exitCode === 0 || error.code === 'commander.error') return error.exitCode;
    return WRONG_USAGE;
  }
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof SettingsError) {
    for (const fault of error.faults) process.stderr.write(`${fault}\n`);
    return BAD_SETTINGS;
  }
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  return FAILED;
}

function onBrokenPipe(error: NodeJS.ErrnoException, then: () => void): void {
  if (error.code !== 'EPIPE') throw error;
  then();
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return String(version);
}
