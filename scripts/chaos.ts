/**
 * Disturbs receivers, workers and PostgreSQL under load and accounts for every event that was answered 200. Starts all it
 * needs itself, a PostgreSQL of its own included, and exits 1 where anything is lost or does not hold.
 *
 *   node scripts/chaos.ts [--quick] [--only NAME]... [--seed NUMBER]
 */
import process from 'node:process';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { cutConnections } from './chaos/cut-connections.ts';
import { killPostgres, stopPostgres } from './chaos/end-postgres.ts';
import { exhaustConnections } from './chaos/exhaust-connections.ts';
import { fillSpillDisk, reachSpillLimit } from './chaos/fill-spill.ts';
import { killReceivers, killWorkers } from './chaos/kill-processes.ts';
import { SeededRandom } from './chaos/seeded-random.ts';
import { sendTwice } from './chaos/send-twice.ts';
import { closeSites } from './chaos/site.ts';
import type { Report, Trial } from './chaos/trial.ts';

const TRIALS: readonly Trial[] = [
  killReceivers,
  killWorkers,
  killPostgres,
  stopPostgres,
  cutConnections,
  exhaustConnections,
  fillSpillDisk,
  reachSpillLimit,
  sendTwice,
];

const COLUMNS = ['disturbances', 'posts', '200', 'other', 'cut', 'duplicates', 'lost', 'unseen', 'slowest', 'result'];

/** Trials of a quick run that go on at the same time. */
const QUICK_AT_ONCE = 3;

interface Options {
  readonly quick?: true;
  readonly only?: readonly string[];
  readonly seed: string;
}

const options = new Command('chaos')
  .description('Disturbs receivers, workers and PostgreSQL under load and accounts for every event.')
  .option('--quick', 'few rounds of each')
  .addOption(new Option('--only <name...>', 'these trials alone').choices(TRIALS.map(({ name }) => name)))
  .option('--seed <number>', 'of the random moments', String(Date.now() % 1_000_000))
  .parse()
  .opts<Options>();

const table = new Table({ head: ['trial', ...COLUMNS], style: { head: [], border: [] } });
let isBroken = false;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void closeSites().finally(() => process.exit(1));
  });
}
tell(`seed ${options.seed}`);
const trials = TRIALS.filter(({ name }) => options.only === undefined || options.only.includes(name));
// Most of a trial is waiting, so that several at once take hardly longer than one.
const rows = new Map<Trial, string[]>();
const waiting = [...trials];
await Promise.all(Array.from({ length: options.quick ? QUICK_AT_ONCE : 1 }, tryNext));
for (const trial of trials) table.push([trial.name, ...(rows.get(trial) ?? [])]);
process.stdout.write(`${table.toString()}\n`);
process.exitCode = isBroken ? 1 : 0;

async function tryNext(): Promise<void> {
  for (let trial = waiting.shift(); trial !== undefined; trial = waiting.shift()) {
    const started = performance.now();
    const report = await attempt(trial);
    const faults = typeof report === 'string' ? [report] : findFaults(report);
    const row = describe(report);
    rows.set(trial, row);
    tell(
      `${trial.name} (${trial.what}): ${row.at(-1)}, ${((performance.now() - started) / 1_000).toFixed(1)} s`,
      ...faults.map((fault) => `  ${fault}`),
    );
    if (faults.length > 0) isBroken = true;
  }
}

/** At once, beside the table. */
function tell(...lines: readonly string[]): void {
  process.stderr.write(lines.map((line) => `${line}\n`).join(''));
}

/** What ended the trial, where it did not come to its end. */
async function attempt(trial: Trial): Promise<Report | string | undefined> {
  try {
    const random = new SeededRandom(Number(options.seed));
    return await trial.run({ random, quick: options.quick === true });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function findFaults(report: Report | undefined): string[] {
  if (report === undefined) return [];
  const { lost, unseen, faults: others } = report.account;
  return [
    ...(lost.length > 0 ? [`${lost.length} answered 200 and lost, such as ${lost[0]}`] : []),
    ...(unseen.length > 0 ? [`${unseen.length} never shown to a handler, such as ${unseen[0]}`] : []),
    ...others,
  ];
}

function describe(report: Report | string | undefined): string[] {
  const blank = COLUMNS.slice(1).map(() => '-');
  if (report === undefined) return [...blank, 'not tried: this machine does not let this user'];
  if (typeof report === 'string') return [...blank, 'FAILED'];
  const { disturbances, tally, account } = report;
  const refused = [...tally.refused].map(([status, times]) => `${times} × ${status}`).join(', ');
  return [
    disturbances,
    String(tally.posts),
    String(tally.ok),
    refused || '0',
    String(tally.cut + tally.silent),
    String(tally.duplicates),
    String(account.lost.length),
    String(account.unseen.length),
    `${Math.round(tally.slowest)} ms`,
    findFaults(report).length === 0 ? 'holds' : 'FAILED',
  ];
}
