import { Command, InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../src/cli/options.ts';
import { measureBigBodies } from './big-bodies.ts';
import { compare, TRAFFIC, type Traffic } from './compare.ts';
import { round, saveResults } from './figures.ts';
import { flood } from './flood.ts';
import { measureGrowth } from './growth/measure-growth.ts';
import { measureDrain, measureLatency } from './latency.ts';
import { profile } from './profile.ts';
import { measureSizes } from './sizes.ts';
import { soak } from './soak.ts';
import { measureStart } from './start.ts';
import { STORE_KINDS, type StoreKind } from './store-kinds.ts';

interface Options {
  readonly traffic: readonly Traffic[];
  readonly stores: readonly StoreKind[];
  readonly rounds?: number;
  readonly amount: number;
  readonly connections: number;
  readonly pace: number;
  readonly sizesOfBodies?: true;
  readonly latency?: true;
  readonly start?: true;
  readonly growth?: true;
  readonly sizes: readonly number[];
  readonly seconds: number;
  readonly soak?: number;
  readonly profile?: true;
  readonly flood?: number;
  readonly bigBodies?: true;
  readonly json: string;
}

const MOST = 1_000_000_000;

const options = new Command('bench')
  .description(
    'Measures the receiver on SQLite and on PostgreSQL, and what others do with a webhook, beside a bare Express route that verifies and stores nothing. A PostgreSQL is started for the run, with its defaults, and ends with it.',
  )
  .addOption(new Option('--traffic <list>', 'of these').argParser(listOf(TRAFFIC)).default(TRAFFIC, TRAFFIC.join(',')))
  .addOption(
    new Option('--stores <list>', 'on these')
      .argParser(listOf(STORE_KINDS))
      .default(STORE_KINDS, STORE_KINDS.join(',')),
  )
  .option('--rounds <number>', 'of each contender, in turn', wholeNumber(1, MOST))
  .option('--amount <number>', 'requests of a round', wholeNumber(1, MOST), 50_000)
  .option('--connections <number>', 'at once', wholeNumber(1, MOST), 64)
  .option('--pace <number>', 'paced requests a second', wholeNumber(1, MOST), 3_000)
  .option('--sizes-of-bodies', 'what a request costs by the size of its body')
  .option('--latency', 'from an answer to the start of its handler, and how fast a queue is drained')
  .option('--start', 'from the start to being ready, and memory')
  .option('--growth', 'accepts and claims a second at each of --sizes stored events, --seconds each')
  .addOption(
    new Option('--sizes <list>', 'numbers of stored events')
      .argParser((list) => list.split(',').map(wholeNumber(0, MOST)))
      .default([0, 1_000_000, 10_000_000], '0,1000000,10000000'),
  )
  .option('--seconds <number>', 'of each size', wholeNumber(1, MOST), 60)
  .option('--soak <events>', 'memory of the receiver over so many', wholeNumber(1, MOST))
  .option('--profile', 'where the time of the receiver goes: a CPU profile and a flame graph of each of its threads')
  .option(
    '--flood <requests>',
    'what so many of strangers leave in the audit log and on the disk',
    wholeNumber(1, MOST),
  )
  .option('--big-bodies', 'what small events wait while a proven sender sends 10 MB of small values again and again')
  .option('--json <folder>', 'where the results are written', 'bench/results')
  .parse()
  .opts<Options>();

const { connections, stores } = options;
const save = (name: string, results: unknown): void => saveResults(options.json, name, results);

function listOf<T extends string>(choices: readonly T[]): (list: string) => readonly T[] {
  return (list) =>
    list.split(',').map((name) => {
      const choice = choices.find((one) => one === name);
      if (choice === undefined) throw new InvalidArgumentError(`It must be a list of ${choices.join(', ')}.`);
      return choice;
    });
}

async function reportFlood(amount: number): Promise<void> {
  const result = await flood(amount, connections);
  const { sent, written, counted, seconds, diskBytes } = result;
  process.stdout.write(
    `${sent} requests in ${round(seconds)} s: ${written} entries written singly + ${counted} counted = ${written + counted}; the data folder grew by ${round(diskBytes / 1_048_576, 1)} MB\n`,
  );
  save('flood', result);
  if (written + counted !== sent) process.exitCode = 1;
}

if (options.soak !== undefined) save('soak', await soak(options.soak, connections));
else if (options.flood !== undefined) await reportFlood(options.flood);
else if (options.bigBodies) save('big-bodies', await measureBigBodies());
else if (options.profile) await profile(options.amount, connections, options.json);
else if (options.growth) {
  const { sizes, seconds, rounds = 6 } = options;
  save('growth', await measureGrowth({ stores, sizes, seconds, rounds }));
} else if (options.sizesOfBodies) save('sizes', await measureSizes(options.rounds ?? 3, connections));
else if (options.latency) {
  const { rounds = 5 } = options;
  save('latency', await measureLatency(rounds, 1_000, 20));
  save('drain', await measureDrain(rounds, 10_000));
} else if (options.start) save('start', await measureStart(options.rounds ?? 5, 1_000_000));
else {
  const { rounds = 5, amount, pace } = options;
  for (const traffic of options.traffic) {
    const results = await compare({ traffic, rounds, amount, connections, stores, pace });
    save(traffic === 'accepts' ? 'compare' : traffic, results);
  }
}
