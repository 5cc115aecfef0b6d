import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AuditMetadata } from '../audit/entry.ts';
import { Inbox } from '../inbox/accept.ts';
import { lacksScope } from '../instantly/api-error.ts';
import type { InstantlyReader } from '../instantly/reader.ts';
import { reconcileLog } from '../instantly/reconcile-log.ts';
import { type ReconcileReport, searchFor } from '../instantly/reconcile-options.ts';
import { oldestOfUse } from '../instantly/reconcile-round.ts';
import { ownWebhooks } from '../instantly/register-webhook.ts';
import { UndatedGroups } from '../instantly/undated-groups.ts';
import { commitTo } from './commit-to.ts';
import { commandSettings } from './open-store.ts';
import { jsonOption, sinceOption, untilOption, wholeNumber } from './options.ts';
import { note, print, printFacts, printJson } from './print.ts';
import { startProgress } from './progress.ts';
import { alone, audited, type InstantlyTools, readInstantly, requireWebhookUrl } from './with-instantly.ts';

const DEFAULT_PAGES = 1_000;
const DEFAULT_MINUTES = 15;
/** Events that share a commit at the most: a page of the log. */
const AT_ONCE = 100;

const HELP = `
It reads the delivery log of Instantly for PUBLIC_URL, and takes what the store
does not hold as if it had arrived: handlers run for it. The service does the
same by itself every INSTANTLY_WATCH_SECONDS. Without --since it begins with the
first start of the receiver, or with what RETENTION_DAYS keeps: older events
would come back after they were pruned. A lost store has lost its first start
too, so --include-succeeded goes by RETENTION_DAYS alone.`;

interface ReconcileCommand {
  readonly all?: true;
  readonly since?: number;
  readonly until?: number;
  readonly includeSucceeded?: true;
  readonly dryRun?: true;
  readonly maxPages: number;
  readonly maxMinutes: number;
  readonly after?: string;
  readonly json?: true;
}

/** `reconcile`: what was missed, out of Instantly's own log. */
export function register(program: Command): void {
  program
    .command('reconcile')
    .description("fetch back what did not arrive, from Instantly's delivery log")
    .option('--all', 'not failed deliveries alone, but every one whose success is not told: after a disabled spell')
    .addOption(sinceOption())
    .addOption(untilOption())
    .option('--include-succeeded', 'also what Instantly counts as delivered: for a store that was lost')
    .option('--dry-run', 'tell what would be recovered, and accept nothing')
    .addOption(
      new Option('--max-pages <n>', 'pages of the log at the most')
        .default(DEFAULT_PAGES)
        .argParser(wholeNumber(1, 100_000)),
    )
    .addOption(
      new Option('--max-minutes <n>', 'minutes at the most').default(DEFAULT_MINUTES).argParser(wholeNumber(1, 1_440)),
    )
    .addOption(new Option('--after <cursor>', 'go on where a run with the same options stopped').argParser(cursor))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(reconcile);
}

async function reconcile(options: ReconcileCommand): Promise<void> {
  const settings = commandSettings();
  const url = requireWebhookUrl(settings);
  show(await readInstantly((tools) => reconcileAlone(tools, url, options), settings), options);
}

export function reconcileAlone(
  tools: InstantlyTools,
  url: string,
  options: ReconcileCommand,
): Promise<ReconcileReport> {
  const work = (signal: AbortSignal): Promise<ReconcileReport> => run({ ...tools, signal }, url, options);
  return audited(
    tools,
    'reconcile.run',
    () => alone(tools, { job: 'reconcile', what: 'reconciliation' }, work),
    describe,
  );
}

async function run(tools: InstantlyTools, url: string, options: ReconcileCommand): Promise<ReconcileReport> {
  const { settings, store, reader, signal } = tools;
  const now = Date.now();
  const { retentionMs, maxEventAgeMs } = settings;
  const oldest = options.includeSucceeded === true ? now - retentionMs : await oldestOfUse({ store, retentionMs }, now);
  const undated = await UndatedGroups.read(store);
  if (options.since !== undefined && options.since < oldest) {
    note(`Nothing before ${new Date(oldest).toISOString()} is of use here; it begins there.`);
  }
  const handlers = await store.registeredHandlers();
  const progress = startProgress('pages');
  try {
    return await reconcileLog({
      reader,
      store,
      inbox: new Inbox({
        commits: commitTo(store, AT_ONCE),
        handlers: () => handlers,
        retentionMs,
        maxEventAgeMs,
      }),
      url,
      search: await findSearch(reader, url, signal),
      window: {
        mode: options.all === true || options.includeSucceeded === true ? 'all' : 'failed',
        from: Math.max(options.since ?? oldest, oldest),
        // By Instantly's clock what has just failed may lie ahead.
        to: options.until ?? Number.POSITIVE_INFINITY,
        startingAfter: options.after,
      },
      includeSucceeded: options.includeSucceeded === true,
      dryRun: options.dryRun === true,
      known: undated,
      maxPages: options.maxPages,
      withinMs: options.maxMinutes * 60_000,
      onPage: async (report) => {
        progress.update(report.pages);
        if (options.dryRun !== true) await undated.add(report.undated);
      },
      onAccepted: () => undefined,
      signal,
    });
  } finally {
    progress.stop();
  }
}

/** Without the right to list webhooks everybody's log is read, and ours taken out of it. */
async function findSearch(reader: InstantlyReader, url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return searchFor(ownWebhooks(await reader.webhooks(signal), url), url);
  } catch (error) {
    if (lacksScope(error)) return undefined;
    throw error;
  }
}

function describe({ startingAfter: _, undated: __, lacking: ___, ...counts }: ReconcileReport): AuditMetadata {
  return counts;
}

function show(report: ReconcileReport, { dryRun, json }: ReconcileCommand): void {
  const { undated: _, lacking: __, startingAfter, ...counts } = report;
  const next = report.complete ? null : (startingAfter ?? null);
  if (json) {
    printJson({ ...counts, dryRun: dryRun === true, after: next });
    return;
  }
  printFacts([
    ['attempts in the log', report.found],
    ['deliveries', report.groups],
    ['delivered in the end', report.succeeded],
    ['held already', report.held],
    [dryRun === true ? 'would be recovered' : 'recovered', report.recovered],
    ['no payload to read', report.unreadable],
  ]);
  if (report.complete) return;
  print('The log was not read to its end.\n');
  note(`Go on with the same options and ${next === null ? 'a higher limit' : `--after ${next}`}.`);
}

function cursor(text: string): string {
  if (/^[\w.:+/=-]{1,200}$/.test(text)) return text;
  throw new InvalidArgumentError('It takes the cursor that the run before has printed.');
}
