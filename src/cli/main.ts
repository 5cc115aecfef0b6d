import { CommanderError } from 'commander';
import { endDespiteThreads } from '../end-despite-threads.ts';
import { SettingsError } from '../errors/problem.ts';
import { Interrupted } from './interrupt.ts';
import { printableLines } from './printable.ts';
import { COMMANDS, newProgram } from './program.ts';
import { WrongUsage } from './wrong-usage.ts';

/** Exit codes: sysexits.h names 78 EX_CONFIG. */
const FAILED = 1;
const WRONG_USAGE = 2;
const BAD_SETTINGS = 78;

/** Milliseconds that a command which has failed may take to end by itself. */
const END_LIMIT_MS = 3_000;

const program = newProgram();

// All of them are a third of what a start of the service would load. Whatever is not the name of one gets the whole help.
const named = Object.entries(COMMANDS).filter(([name]) => name === process.argv[2]);
const loading = (named.length > 0 ? named : Object.entries(COMMANDS)).map(([, load]) => load());
for (const { register } of await Promise.all(loading)) register(program);

// A reader that has seen enough (`| head`) is no fault, and what was found out by then still decides how we end. A full disk is one.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exitCode = report(new Error(`the output cannot be written (${error.code})`));
  process.exit();
});
// There is nobody left to tell.
process.stderr.on('error', () => undefined);

try {
  await program.parseAsync();
} catch (error) {
  const exitCode = report(error);
  process.exitCode = exitCode;
  // The thread of a store may be inside a system call, on a disk that hangs, and would keep us for as long as that lasts.
  setTimeout(() => endDespiteThreads(exitCode), END_LIMIT_MS).unref();
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Our own `command.error()` says its code; whatever else commander ends with is about how it was called.
    if (error.exitCode === 0 || error.code === 'commander.error') return error.exitCode;
    return WRONG_USAGE;
  }
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof WrongUsage) {
    process.stderr.write(`error: ${printableLines(error.message)}\n(see --help)\n`);
    return WRONG_USAGE;
  }
  if (error instanceof SettingsError) {
    for (const fault of error.faults) process.stderr.write(`${printableLines(fault)}\n`);
    return BAD_SETTINGS;
  }
  process.stderr.write(`error: ${printableLines(error instanceof Error ? error.message : String(error))}\n`);
  return FAILED;
}
