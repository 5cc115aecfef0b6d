import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { flood } from './flood.ts';
import { runLoad } from './run-load.ts';
import { BARE_ROUTE, RECEIVER, SECRET, startServer } from './servers.ts';

// npm run bench                     durable accepts beside a bare Express route that verifies and stores nothing
// npm run bench -- --soak 1000000   memory of the receiver over so many events
// npm run bench -- --flood 200000   what so many requests of strangers leave in the audit log and on the disk

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    amount: { type: 'string', default: '50000' },
    connections: { type: 'string', default: '64' },
    soak: { type: 'string' },
    flood: { type: 'string' },
    json: { type: 'string', default: 'bench/results' },
  },
});

const connections = Number(options.connections);
const CONTENDERS = { 'bare route': BARE_ROUTE, receiver: RECEIVER } as const;
type Contender = keyof typeof CONTENDERS;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const round = (value: number, digits = 0): string => value.toFixed(digits);

async function measure(contender: Contender, amount: number) {
  const server = await startServer(CONTENDERS[contender]);
  try {
    const order = { url: server.url, secret: SECRET, connections, leads: 5_000 };
    await runLoad({ ...order, amount: Math.min(10_000, amount) });
    const result = await runLoad({ ...order, amount });
    if (result.ok !== amount) throw new Error(`${contender}: ${amount - result.ok} of ${amount} were not answered 200`);
    return { contender, ...result, rssMb: residentMb(server.pid) };
  } finally {
    await server.stop();
  }
}

function residentMb(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_024;
}

async function compare(): Promise<void> {
  const rounds = Number(options.rounds);
  const results: Awaited<ReturnType<typeof measure>>[] = [];
  for (let n = 1; n <= rounds; n += 1) {
    // In turn, so that a machine whose speed drifts is as unkind to one as to the other.
    for (const contender of Object.keys(CONTENDERS) as Contender[]) {
      const result = await measure(contender, Number(options.amount));
      results.push(result);
      process.stderr.write(
        `round ${n}: ${contender} ${round(result.rate)}/s, p99 ${result.p99} ms, ${round(result.rssMb)} MB\n`,
      );
    }
  }
  const of = (contender: Contender) => results.filter((result) => result.contender === contender);
  const pairs = of('receiver').map((receiver, index) => ({ receiver, bare: of('bare route')[index] ?? receiver }));
  const ratio = pairs.map(({ receiver, bare }) => receiver.rate / bare.rate);
  const p99Ratio = pairs.map(({ receiver, bare }) => receiver.p99 / bare.p99);
  console.table(
    Object.fromEntries(
      (Object.keys(CONTENDERS) as Contender[]).map((contender) => [
        contender,
        {
          'requests/s': Number(round(median(of(contender).map(({ rate }) => rate)))),
          'p50 ms': median(of(contender).map(({ p50 }) => p50)),
          'p99 ms': median(of(contender).map(({ p99 }) => p99)),
          'max ms': median(of(contender).map(({ max }) => max)),
          'rss MB': Number(round(median(of(contender).map(({ rssMb }) => rssMb)))),
        },
      ]),
    ),
  );
  process.stdout.write(
    `receiver / bare route, median of ${rounds} pairs: rate ${round(median(ratio), 2)} (${round(Math.min(...ratio), 2)} to ${round(Math.max(...ratio), 2)}), p99 ${round(median(p99Ratio), 2)}\n`,
  );
  save('compare', results);
}

async function soak(amount: number): Promise<void> {
  const server = await startServer(RECEIVER);
  const samples: { events: number; rssMb: number }[] = [];
  const step = Math.ceil(amount / 20);
  try {
    for (let events = 0; events < amount; events += step) {
      const result = await runLoad({ url: server.url, secret: SECRET, connections, leads: 50_000, amount: step });
      if (result.ok !== step) throw new Error(`${step - result.ok} were not answered 200`);
      samples.push({ events: events + step, rssMb: Number(round(residentMb(server.pid))) });
      process.stderr.write(`${events + step} events, ${round(result.rate)}/s, ${samples.at(-1)?.rssMb} MB\n`);
    }
  } finally {
    await server.stop();
  }
  console.table(samples);
  save('soak', samples);
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

function save(name: string, results: unknown): void {
  mkdirSync(options.json, { recursive: true });
  writeFileSync(`${options.json}/${name}.json`, `${JSON.stringify(results, null, 2)}\n`);
}

if (options.soak !== undefined) await soak(Number(options.soak));
else if (options.flood !== undefined) await reportFlood(Number(options.flood));
else await compare();
