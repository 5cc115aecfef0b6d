import { parseArgs } from 'node:util';
import { compare, type Traffic } from './compare.ts';
import { round, saveResults } from './figures.ts';
import { flood } from './flood.ts';
import { measureGrowth } from './growth/measure-growth.ts';
import { measureDrain, measureLatency } from './latency.ts';
import { profile } from './profile.ts';
import { measureSizes } from './sizes.ts';
import { soak } from './soak.ts';
import { measureStart } from './start.ts';
import { readStoreKinds } from './store-kinds.ts';

// npm run bench                     durable accepts on SQLite and on PostgreSQL, and what others do with a webhook, beside a bare
//                                   Express route that verifies and stores nothing (--stores sqlite: on this one alone);
//                                   the same with wrong signatures; and accepts at --pace requests a second
// npm run bench -- --traffic accepts  one of these three: accepts, rejections, paced
// npm run bench -- --sizes-of-bodies  what a request costs by the size of its body
// npm run bench -- --latency        from an answer to the start of its handler, and how fast a queue is drained
// npm run bench -- --start          from the start to being ready, and memory
// npm run bench -- --growth         accepts and claims a second at each of --sizes stored events, --seconds each
// npm run bench -- --soak 1000000   memory of the receiver over so many events
// npm run bench -- --profile        where the receiver's time goes: a CPU profile and a flame graph of each of its threads
// npm run bench -- --flood 200000   what so many requests of strangers leave in the audit log and on the disk
//
// A PostgreSQL is started for the run, with its defaults, and ends with it.

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    amount: { type: 'string', default: '50000' },
    connections: { type: 'string', default: '64' },
    stores: { type: 'string', default: 'sqlite,postgres' },
    traffic: { type: 'string', default: 'accepts,rejections,paced' },
    pace: { type: 'string', default: '3000' },
    'sizes-of-bodies': { type: 'boolean', default: false },
    latency: { type: 'boolean', default: false },
    start: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
    sizes: { type: 'string', default: '0,1000000,10000000' },
    seconds: { type: 'string', default: '60' },
    soak: { type: 'string' },
    profile: { type: 'boolean', default: false },
    flood: { type: 'string' },
    json: { type: 'string', default: 'bench/results' },
  },
});

const connections = Number(options.connections);
const save = (name: string, results: unknown): void => saveResults(options.json, name, results);

function readTraffic(list: string): Traffic[] {
  return list.split(',').map((name) => {
    if (name === 'accepts' || name === 'rejections' || name === 'paced') return name;
    throw new Error(`--traffic takes accepts, rejections and paced, not ${name}`);
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

if (options.soak !== undefined) save('soak', await soak(Number(options.soak), connections));
else if (options.flood !== undefined) await reportFlood(Number(options.flood));
else if (options.profile) await profile(Number(options.amount), connections, options.json);
else if (options.growth) {
  const sizes = options.sizes.split(',').map(Number);
  const rounds = Number(options.rounds ?? '6');
  save(
    'growth',
    await measureGrowth({ stores: readStoreKinds(options.stores), sizes, seconds: Number(options.seconds), rounds }),
  );
} else if (options['sizes-of-bodies']) save('sizes', await measureSizes(Number(options.rounds ?? '3'), connections));
else if (options.latency) {
  const rounds = Number(options.rounds ?? '5');
  save('latency', await measureLatency(rounds, 1_000, 20));
  save('drain', await measureDrain(rounds, 10_000));
} else if (options.start) save('start', await measureStart(Number(options.rounds ?? '5'), 1_000_000));
else {
  const rounds = Number(options.rounds ?? '5');
  const stores = readStoreKinds(options.stores);
  const [amount, pace] = [Number(options.amount), Number(options.pace)];
  for (const traffic of readTraffic(options.traffic)) {
    const results = await compare({ traffic, rounds, amount, connections, stores, pace });
    save(traffic === 'accepts' ? 'compare' : traffic, results);
  }
}
