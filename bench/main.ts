import { parseArgs } from 'node:util';
import { compare } from './compare.ts';
import { round, saveResults } from './figures.ts';
import { flood } from './flood.ts';
import { measureGrowth } from './growth/measure-growth.ts';
import { profile } from './profile.ts';
import { soak } from './soak.ts';
import { readStoreKinds } from './store-kinds.ts';

// npm run bench                     durable accepts on SQLite and on PostgreSQL beside a bare Express route that verifies
//                                   and stores nothing (--stores sqlite: on this one alone)
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
} else {
  const rounds = Number(options.rounds ?? '5');
  const stores = readStoreKinds(options.stores);
  save('compare', await compare({ rounds, amount: Number(options.amount), connections, stores }));
}
