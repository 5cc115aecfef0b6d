import { type Command, Option } from 'commander';
import { begin } from './audit-begin.ts';
import { registerCorrelate } from './audit-correlate.ts';
import { exportAudit } from './audit-export.ts';
import { tail } from './audit-tail.ts';
import { verify } from './audit-verify.ts';
import { jsonOption, limitOption, sinceOption, untilOption } from './options.ts';

const VERIFY_HELP = `
A log without its newest entries, or without its newest chains, is what it once
was. Only heads kept elsewhere show that. With SQLite, the receiver's
audit-heads.jsonl beside the store is read by itself, and --no-anchor leaves it
out. A thief of the store can change it too: keep a copy elsewhere, and give it
back with --anchor. That also takes lines of the log that say "audit heads", and
what this command prints.

--bodies reads every body. With PostgreSQL, events of a spill that is being
moved may be there before their entries: empty spills first.`;

const BEGIN_HELP = `
Stop every receiver and worker first. Events stay as they are. Where the old key
is found again, do not run this: set AUDIT_KEY to it.`;

/** `audit`: the log of every request and every action. */
export function register(program: Command): void {
  const audit = program.command('audit').description('read, verify and export the audit log');
  audit
    .command('tail')
    .description('print the newest entries, the newest last')
    .addOption(limitOption())
    .addOption(new Option('-f, --follow', 'go on with new entries until SIGINT; with --json, one document a line'))
    .addOption(jsonOption())
    .action(tail);
  audit
    .command('verify')
    .description('prove that no entry was changed, removed, inserted or moved; exits 1 at the first that does not hold')
    .addOption(new Option('--anchor <file>', "heads that were kept elsewhere, in place of the receiver's own file"))
    .addOption(new Option('--no-anchor', 'leave out audit-heads.jsonl beside the store'))
    .addOption(new Option('--bodies', 'hold every stored body against the entry that accepted it'))
    .addOption(jsonOption())
    .addHelpText('after', VERIFY_HELP)
    .action(verify);
  audit
    .command('export')
    .description('write entries as JSON lines, the oldest first')
    .addOption(sinceOption())
    .addOption(untilOption())
    .addOption(new Option('--action <action>', 'of this action, such as webhook.receive'))
    .addOption(new Option('--output <file>', 'into a new file for this user alone, in place of stdout'))
    .addOption(new Option('--json', 'one array in place of lines; with --output, one document that says what was done'))
    .action(exportAudit);
  audit
    .command('begin')
    .description('begin a new log under a new AUDIT_KEY where the old key is lost')
    .requiredOption('--output <file>', 'a new file, into which the old log is moved')
    .requiredOption('--yes', 'the old log can no longer be verified here')
    .addOption(jsonOption())
    .addHelpText('after', BEGIN_HELP)
    .action(begin);
  registerCorrelate(audit);
}
