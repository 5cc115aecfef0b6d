import type { Command } from 'commander';
import { interruptible } from './interrupt.ts';
import { jsonOption } from './options.ts';
import { printJson } from './print.ts';

/** Milliseconds for one check; with what opening the store takes, all is over within a minute. */
const CHECK_MS = 30_000;

const HELP = `
Each line is ok, warn, fail or skip (it could not be found out), with what was
found and what to do about it. It changes nothing: what it asks of Instantly is
read, and audited; to PUBLIC_URL it sends one request with a wrong token, which
has to be refused. Without a store nothing can be audited, so Instantly is not
asked until the receiver has been started once.

--checklist prints the security and the production checklist (docs/) instead:
[x] holds, [ ] does not, with what was found, [?] could not be found out, [-] is
for you to try, by the command behind it.

Exit codes: 0 nothing failed, 1 something did. It never ends for settings that
are wrong: each of them is a line.`;

/** `doctor`: what is wrong with this installation, and how to mend it. */
export function register(program: Command): void {
  program
    .command('doctor')
    .description('look at settings, secrets, store, address and registration, and say what to mend')
    .option('--checklist', 'the security and the production checklist, filled in')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(doctor);
}

interface DoctorOptions {
  readonly checklist?: true;
  readonly json?: true;
}

async function doctor({ checklist, json }: DoctorOptions): Promise<void> {
  // Here and not above: no other command needs any of it.
  const [{ examineSettings }, { withOpened }, { runChecks }, { CHECKS }, { printChecklist, printLines }] =
    await Promise.all([
      import('../config/examine-settings.ts'),
      import('./doctor/open-for-look.ts'),
      import('./doctor/run-checks.ts'),
      import('./doctor/checks.ts'),
      import('./doctor/print-lines.ts'),
    ]);
  const { CHECKLIST_CHECKS, fillIn } = await import('./doctor/checklist.ts');
  const checks = checklist ? [...CHECKS, ...CHECKLIST_CHECKS] : CHECKS;
  const cwd = process.cwd();
  const examined = examineSettings(process.env, cwd);
  const stop = interruptible();
  const lines = await withOpened(examined, stop.signal, (opened) =>
    runChecks(checks, { cwd, examined, ...opened }, CHECK_MS, stop.signal),
  ).finally(stop.release);
  // Before anything is printed: a reader that goes away must not turn a failure into a success.
  process.exitCode = lines.some(({ status }) => status === 'fail') ? 1 : 0;
  if (checklist) {
    const items = fillIn(lines);
    if (json) printJson(items);
    else printChecklist(items);
  } else if (json) printJson(lines);
  else printLines(lines);
  // A check that was given up may still hang on something.
  await new Promise((resolve) => {
    process.stdout.write('', resolve);
  });
  process.exit();
}
