import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { loadSettings } from '../config/load-settings.ts';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { type Finding, type ScanReport, SKIP_REASONS, type SkipReason } from '../scan-secrets/report.ts';
import type { OnProgress } from '../scan-secrets/scan-run.ts';
import { interruptible } from './interrupt.ts';
import { jsonOption } from './options.ts';
import { count, note, print, printJson, printTable } from './print.ts';
import { type Progress, startProgress } from './progress.ts';
import { secretHomes, secretsInUse } from './secrets-in-use.ts';

const HELP = `
Looks at the files that a commit could give away (tracked, staged, or new and
not ignored) and at everything that was ever committed, on any branch, tag or
stash. Outside of a repository every file counts, save .env and the files the
receiver keeps its secrets in. Found are the secrets in use here, wherever they
stand; our settings with a value; keys of Instantly and of Standard Webhooks;
and what secretlint's recommended rules know.

Paths in .secretlintignore (written as in .gitignore) are left out, and so is
what a comment switches off: secretlint-disable-line,
secretlint-disable-next-line, secretlint-disable. A secret in use is told even
there.

--staged is for a pre-commit hook, and exits 1 on a commit with a secret:
  printf '#!/bin/sh\\nexec npm run --silent cli -- secrets scan --staged\\n' \\
    > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit

What is found is never shown. Exit codes: 0 nothing found, 1 something found or
not all could be looked at.`;

const PROGRESS = { tree: 'files', history: 'versions of files in the history' } as const;

/** The command that replaces each setting's secret. */
const COMMANDS: Readonly<Record<string, string>> = {
  INSTANTLY_WEBHOOK_TOKEN: 'run "secrets rotate"',
  INSTANTLY_API_KEY: 'run "secrets rotate --api-key --setting INSTANTLY_API_KEY"',
  INSTANTLY_READ_KEY: 'run "secrets rotate --api-key --setting INSTANTLY_READ_KEY"',
  INSTANTLY_WRITE_KEY: 'run "secrets rotate --api-key --setting INSTANTLY_WRITE_KEY"',
  INSTANTLY_SECRET: 'run "secrets new --kind signature", and put the new key first until the sender has it',
  AUDIT_KEY: 'run "secrets new --kind audit", then "audit begin" with the new key',
  ADMIN_TOKEN: 'run "secrets new --kind admin"',
  METRICS_TOKEN: 'run "secrets new --kind metrics"',
  PGPASSWORD: 'change the password of the database user, then DATABASE_URL',
};
const OTHER = 'run "secrets new", and put the new value in place of it';

const API_KEY =
  'make a key at Instantly (Settings, Integrations, API keys) with the same scopes, and give it to "secrets rotate --api-key", which revokes the old one; ' +
  'a key that no receiver here uses is deleted there';

/** How to make a secret worthless, by the rule that found it. */
const REMEDIES: Readonly<Record<string, string>> = {
  'known-secret':
    'it is in use: the webhook\'s token by "secrets rotate", an API key by "secrets rotate --api-key", any other by "secrets new"',
  'standard-webhooks-key': 'run "secrets new --kind signature --scheme standard-webhooks", and give it to the sender',
  'instantly-api-key': API_KEY,
  'postgres-password': COMMANDS['PGPASSWORD'] ?? '',
  'database-connection-string': 'change the password of the database user, then the address',
};
const ELSEWHERE = 'revoke it at its issuer, and make another';

/** What to do now, with the command. */
function remedyOf({ rule, what }: Finding): string {
  if (rule !== 'receiver-setting') return REMEDIES[rule] ?? ELSEWHERE;
  const [name = ''] = what.split(' ');
  return `${name}: ${COMMANDS[name] ?? OTHER}`;
}

interface ScanCommandOptions {
  readonly history: boolean;
  readonly staged?: true;
  readonly json?: true;
}

/** `secrets scan`: works without settings and without a store. */
export function registerScan(secrets: Command): void {
  secrets
    .command('scan')
    .description('look for secrets in a folder and in the history of its git repository')
    .argument('[dir]', 'the folder', '.')
    .addOption(new Option('--no-history', 'look at the files alone, as they are now'))
    .addOption(
      new Option('--staged', 'look at what the next commit would add, and nothing else: for a pre-commit hook'),
    )
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(scan);
}

async function scan(dir: string, options: ScanCommandOptions, command: Command): Promise<void> {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    command.error(`error: ${JSON.stringify(dir)} is no folder`, { exitCode: 2 });
  }
  const report = await run(dir, options, readSettings());
  // Before anything is printed: a reader that goes away must not turn a finding into a success.
  process.exitCode = report.findings.length === 0 && report.complete ? 0 : 1;
  if (options.json === true)
    printJson({
      ...report,
      findings: report.findings.map((one) => ({ ...one, remedy: `Rotate now: ${remedyOf(one)}.` })),
    });
  else tell(report);
}

async function run(
  dir: string,
  { history, staged }: ScanCommandOptions,
  settings: Settings | undefined,
): Promise<ScanReport> {
  // Here and not above, so that other commands need not load it.
  const { scanDirectory } = await import('../scan-secrets/scan-directory.ts');
  const stop = interruptible();
  let shown: { readonly phase: keyof typeof PROGRESS; readonly progress: Progress } | undefined;
  const onProgress: OnProgress = (phase, done, total) => {
    if (shown?.phase !== phase) {
      shown?.progress.stop();
      shown = { phase, progress: startProgress(PROGRESS[phase], total) };
    }
    shown.progress.update(done);
  };
  const inUse = settings === undefined ? {} : { known: secretsInUse(settings), homes: secretHomes(settings) };
  // A hook of git is told which index the commit is made from.
  const only = staged === true ? { staged: { index: process.env['GIT_INDEX_FILE'] || undefined } } : {};
  try {
    return await scanDirectory({ dir, history, signal: stop.signal, onProgress, ...inUse, ...only });
  } finally {
    shown?.progress.stop();
    stop.release();
  }
}

/** A folder can be looked at by whoever has no receiver there, or one that is not set up yet. */
function readSettings(): Settings | undefined {
  try {
    return loadSettings({ env: process.env, cwd: process.cwd(), create: false });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    note('The settings here cannot be read, so the secrets they hold are not searched for by themselves.');
    return undefined;
  }
}

function tell(report: ScanReport): void {
  const { findings, filesScanned, blobsScanned, history } = report;
  const looked = `${count(filesScanned, 'file')}${history === 'scanned' ? ` and ${count(blobsScanned, 'version')} of files in the history` : ''}`;
  if (findings.length === 0) {
    print(`No secret found in ${looked}.\n`);
  } else {
    printTable(
      ['where', 'path', 'line', 'rule', 'commit'],
      findings.map(({ where, path, line, rule, commit }) => [where, path, line, rule, commit ?? null]),
    );
    note(`${count(findings.length, 'finding')} in ${looked}.`);
    tellRemedies(report);
  }
  tellLimits(report);
}

function tellRemedies({ findings }: ScanReport): void {
  note('Rotate now, since every copy holds the secret:');
  for (const [remedy, found] of Map.groupBy(findings, remedyOf)) {
    const rules = [...new Set(found.map(({ rule }) => rule))];
    note(`  ${rules.join(', ')}: ${remedy}.`);
  }
  note('Then take it out of the files, and keep it in .env or a file that NAME_FILE names, which git ignores.');
  if (findings.some(({ commit }) => commit !== undefined)) {
    note('Taking it out of the history (git filter-repo) helps only where nobody has fetched it yet.');
  }
}

function tellLimits({ skipped, notes, complete }: ScanReport): void {
  const left = (Object.keys(SKIP_REASONS) as SkipReason[]).filter((reason) => skipped[reason] > 0);
  if (left.length > 0) {
    note(`Not looked at: ${left.map((reason) => `${skipped[reason]} ${SKIP_REASONS[reason]}`).join('; ')}.`);
  }
  for (const line of notes) note(line);
  if (!complete) note('So there may be more.');
}
