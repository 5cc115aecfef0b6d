import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { loadSettings } from '../config/load-settings.ts';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { type ScanReport, SKIP_REASONS, type SkipReason } from '../scan-secrets/report.ts';
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

What is found is never shown. Exit codes: 0 nothing found, 1 something found or
not all could be looked at.`;

const PROGRESS = { tree: 'files', history: 'versions of files in the history' } as const;

const TOKEN = 'rotate the token with "secrets rotate"';

/** What makes a secret worthless, by the rule that found it. */
const REMEDIES: Readonly<Record<string, string>> = {
  'known-secret': `It is in use: ${TOKEN}, make any other with "secrets new" and put it first, the old one after a comma.`,
  'receiver-setting': `If it is or was in use: ${TOKEN}, make any other with "secrets new".`,
  'standard-webhooks-key':
    'Make a key with "secrets new --kind signature --scheme standard-webhooks", and give it to what signs.',
  'instantly-api-key':
    "Delete the key at Instantly (Settings, Integrations, API keys) and make another, with one key's scopes.",
  'postgres-password': 'Change the password of the database user, then DATABASE_URL.',
  'database-connection-string': 'Change the password of the database user, then the address.',
};
const ELSEWHERE = 'Revoke it where it was issued, and make another.';

interface ScanCommandOptions {
  readonly history: boolean;
  readonly json?: true;
}

/** `secrets scan`: works without settings and without a store. */
export function registerScan(secrets: Command): void {
  secrets
    .command('scan')
    .description('look for secrets in a folder and in the history of its git repository')
    .argument('[dir]', 'the folder', '.')
    .addOption(new Option('--no-history', 'look at the files alone, as they are now'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(scan);
}

async function scan(dir: string, options: ScanCommandOptions, command: Command): Promise<void> {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    command.error(`error: ${JSON.stringify(dir)} is no folder`, { exitCode: 2 });
  }
  const report = await run(dir, options.history, readSettings());
  // Before anything is printed: a reader that goes away must not turn a finding into a success.
  process.exitCode = report.findings.length === 0 && report.complete ? 0 : 1;
  if (options.json === true) printJson(report);
  else tell(report);
}

async function run(dir: string, history: boolean, settings: Settings | undefined): Promise<ScanReport> {
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
  try {
    return await scanDirectory({ dir, history, signal: stop.signal, onProgress, ...inUse });
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
  note('First make each of them worthless, since whoever has a copy has the secret:');
  const rules = [...new Set(findings.map(({ rule }) => rule))];
  for (const [remedy, named] of Map.groupBy(rules, (rule) => REMEDIES[rule] ?? ELSEWHERE)) {
    note(`  ${named.join(', ')}: ${remedy}`);
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
