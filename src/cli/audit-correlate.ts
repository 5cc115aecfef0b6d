import { type Command, Option } from 'commander';
import type { AuditEntry } from '../audit/entry.ts';
import { InstantlyApiError } from '../instantly/api-error.ts';
import { APART_MS, type CorrelatedActivity, correlateLogs } from '../instantly/correlate-logs.ts';
import { identifyKey } from '../instantly/identify-key.ts';
import { readActivities } from '../instantly/read-activities.ts';
import { jsonOption, sinceOption, untilOption } from './options.ts';
import { type Cell, count, isoTime, note, printJson, printTable, showTime } from './print.ts';
import { startProgress } from './progress.ts';
import { readEntriesSince } from './read-entries-since.ts';
import { audited, type InstantlyTools, readInstantly } from './with-instantly.ts';

const DAY_MS = 86_400_000;

const HELP = `
Beside each other, by time: what this receiver asked Instantly to change and did
with its own secrets, and what Instantly's audit log says was done in the
workspace, its times by our clock. What was done there to webhooks or API keys,
and is no call of ours, stands out as SOMEONE ELSE, with who it was: it may be
right, as when you made a key by hand. Without --since it looks at the last 24
hours.

Exit codes: 0 done; with --strict 1 where somebody else did something.`;

interface CorrelateCommand {
  readonly since?: number;
  readonly until?: number;
  readonly strict?: true;
  readonly json?: true;
}

/** `audit correlate`. */
export function registerCorrelate(audit: Command): void {
  audit
    .command('correlate')
    .description("hold this log against Instantly's own, and name what was done to webhooks and keys by others")
    .addOption(sinceOption())
    .addOption(untilOption())
    .addOption(new Option('--strict', 'exit with 1 where somebody else did something'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(correlate);
}

interface Correlated {
  readonly activities: readonly CorrelatedActivity[];
  readonly own: readonly AuditEntry[];
  readonly isWhole: boolean;
}

async function correlate(options: CorrelateCommand, command: Command): Promise<void> {
  const until = options.until ?? Date.now();
  const since = options.since ?? until - DAY_MS;
  if (since >= until) command.error('error: --since must be before --until\n(see --help)', { exitCode: 2 });
  const correlated = await readInstantly((tools) =>
    audited(
      tools,
      'audit.correlate',
      () => gather(tools, { since, until, end: options.until }),
      ({ activities, own }) => ({
        since: isoTime(since),
        until: isoTime(until),
        activities: activities.length,
        entries: own.length,
        someoneElse: countOthers(activities),
      }),
    ),
  );
  const others = countOthers(correlated.activities);
  // Before anything is printed: a reader that goes away must not turn a finding into a success.
  process.exitCode = options.strict === true && others > 0 ? 1 : 0;
  if (options.json) printJson(asList(correlated));
  else tell(correlated, others);
  if (!correlated.isWhole) note("Instantly's log has more of that time than was read; look at a shorter one.");
}

/** Milliseconds that a call of ours may take. */
const CALL_MS = 15_000;

/** @param end without one nothing is too late: by our clock a change of a moment ago may seem yet to come */
async function gather(
  { settings, store, reader, signal }: InstantlyTools,
  { since, until, end }: { readonly since: number; readonly until: number; readonly end: number | undefined },
) {
  const ownKeyIds = await findOwnKeys({ settings, store, reader, signal });
  const progress = startProgress('pages of the log of Instantly');
  const [from, to] = [since + reader.clockAheadMs, until + reader.clockAheadMs];
  const read = await readActivities(reader, from, to, signal, progress.update).finally(progress.stop);
  // A call just outside of the window may have done what lies inside.
  const entries = await readEntriesSince(store, settings.store.kind, since - APART_MS - CALL_MS, signal);
  const activities = correlateLogs({
    activities: read.activities,
    entries,
    clockAheadMs: reader.clockAheadMs,
    ownKeyIds,
  });
  const isInside = (at: number): boolean => at >= since && (end === undefined || at < end);
  return {
    activities: activities.filter(({ at }) => isInside(at)),
    own: entries.filter((entry) => isTold(entry) && isInside(Date.parse(entry.timestamp))),
    isWhole: read.isWhole,
  };
}

/** Empty where they cannot be told: the times and kinds decide then. */
async function findOwnKeys({ settings, reader, signal }: InstantlyTools): Promise<string[]> {
  try {
    const listed = await reader.apiKeys(signal);
    const keys = [settings.instantly.readKey, settings.instantly.writeKey].filter((key) => key !== undefined);
    const found = keys.map(({ secret }) => identifyKey(listed, secret)?.entry.id);
    return found.includes(undefined) ? [] : found.filter((id) => id !== undefined);
  } catch (error) {
    if (!(error instanceof InstantlyApiError) || error.failure !== 'scope') throw error;
    note(`${error.message}. Without it, whose key it was cannot be told.`);
    return [];
  }
}

/** Of ours, what changes something there or concerns a secret; looking changes nothing, and deliveries would fill the list. */
function isTold({ action, metadata }: AuditEntry): boolean {
  if (action === 'instantly.api.call') return metadata['method'] !== 'GET';
  return action !== 'webhook.receive' && /^(webhook|secret|api-key)\./.test(action);
}

function countOthers(activities: readonly CorrelatedActivity[]): number {
  return activities.filter(({ verdict }) => verdict === 'someone else').length;
}

/** Without names and addresses: whoever needs them has the id. */
function asList({ activities, own }: Correlated): unknown[] {
  const theirs = activities.map(({ activity, at, what, verdict, explainedBy }) => ({
    time: isoTime(at),
    log: 'instantly',
    id: activity.id,
    what,
    verdict,
    explainedBy,
    webhookId: activity.webhook_id ?? null,
    apiKeyId: activity.api_key_id ?? null,
    userId: activity.user_id ?? null,
    fromApi: activity.from_api ?? null,
  }));
  const ours = own.map(({ id, timestamp, action, userId, result, metadata }) => ({
    time: timestamp,
    log: 'receiver',
    id,
    what: action,
    result,
    userId,
    operation: metadata['operation'] ?? null,
    webhookId: metadata['webhookId'] ?? null,
  }));
  // Those of one instant stay as they are.
  return [...theirs, ...ours].toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
}

function tell({ activities, own }: Correlated, others: number): void {
  const rows = [...activities.map(theirRow), ...own.map(ownRow)].toSorted((a, b) => a.at - b.at);
  printTable(
    ['time', 'log', 'what', 'webhook', 'by', 'verdict'],
    rows.map(({ at, cells }) => [showTime(at), ...cells]),
  );
  note(
    others === 0
      ? 'Everything that was done to webhooks and keys was ours.'
      : `${count(others, 'thing was', 'things were')} done to webhooks or keys that no call of this receiver explains.`,
  );
}

interface Row {
  readonly at: number;
  readonly cells: readonly Cell[];
}

const VERDICTS: Readonly<Record<CorrelatedActivity['verdict'], string | null>> = {
  ours: 'ours',
  'someone else': 'SOMEONE ELSE',
  instantly: 'by itself',
  'not ours to tell': null,
};

/** Who it was is told of what somebody else did, and of nothing more. */
function theirRow({ activity, at, what, verdict }: CorrelatedActivity): Row {
  const { user_name: user, user_id: userId, ip_address: ip, api_key_id: key } = activity;
  const who = [user ?? userId, key && `key ${key}`, ip && `from ${ip}`].filter(Boolean).join(', ');
  return {
    at,
    cells: ['Instantly', what, activity.webhook_id ?? null, verdict === 'someone else' ? who : null, VERDICTS[verdict]],
  };
}

function ownRow({ timestamp, action, userId, result, metadata }: AuditEntry): Row {
  const operation = typeof metadata['operation'] === 'string' ? ` ${metadata['operation']}` : '';
  const webhook = typeof metadata['webhookId'] === 'string' ? metadata['webhookId'] : null;
  const what = `${action}${operation}${result === 'failure' ? ' (failed)' : ''}`;
  return { at: Date.parse(timestamp), cells: ['here', what, webhook, userId, null] };
}
