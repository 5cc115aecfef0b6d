import { Command, CommanderError } from 'commander';
import { SettingsError } from '../errors/problem.ts';
import { register as registerSecrets } from './secrets.ts';
import { register as registerServe } from './serve.ts';

/** Exit codes: sysexits.h names 78 EX_CONFIG. */
const FAILED = 1;
const WRONG_USAGE = 2;
const BAD_SETTINGS = 78;

const program = new Command('instantly-receiver')
  .description('Receives Instantly webhooks: proves the caller, stores before it answers, audits, runs handlers.')
  .showHelpAfterError('(see --help)')
  .exitOverride();

registerServe(program);
registerSecrets(program);

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
  if (error instanceof SettingsError) {
    for (const fault of error.faults) process.stderr.write(`${fault}\n`);
    return BAD_SETTINGS;
  }
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return FAILED;
}
