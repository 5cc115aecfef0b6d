import { hash, randomBytes } from 'node:crypto';
import { BARE, receiverOn } from './contenders.ts';
import { median, round } from './figures.ts';
import { runLoad } from './run-load.ts';
import { cpuSeconds, SECRET } from './servers.ts';

export interface SizeResult {
  readonly contender: string;
  readonly bodyBytes: number;
  readonly rate: number;
  /** Microseconds of all cores, of the server process. */
  readonly cpuUs: number;
}

/** Bytes, and how many requests of that size make one measurement. */
const SIZES = [
  [1_024, 20_000],
  [10_240, 10_000],
  [102_400, 2_000],
  [1_048_576, 300],
] as const;
const CONTENDERS = [BARE, receiverOn('sqlite', undefined)];

/** What a request costs by the size of its body, and what a KB more does, beside what SHA-256 alone takes for it. */
export async function measureSizes(rounds: number, connections: number): Promise<readonly SizeResult[]> {
  const results: SizeResult[] = [];
  for (let n = 1; n <= rounds; n += 1) {
    for (const contender of CONTENDERS) {
      const server = await contender.start();
      try {
        const order = { url: server.url, secret: SECRET, connections, leads: 5_000 };
        await runLoad({ ...order, amount: 5_000 });
        for (const [bodyBytes, amount] of SIZES) {
          const before = cpuSeconds(server.pid);
          const { rate, ok } = await runLoad({ ...order, bodyBytes, amount });
          if (ok !== amount) throw new Error(`${contender.name}: ${amount - ok} of ${amount} were not answered 200`);
          const cpuUs = ((cpuSeconds(server.pid) - before) / amount) * 1_000_000;
          results.push({ contender: contender.name, bodyBytes, rate, cpuUs });
        }
      } finally {
        await server.stop();
      }
    }
  }
  report(results);
  return results;
}

function report(results: readonly SizeResult[]): void {
  const digestUs = microsecondsOfSha256();
  process.stdout.write(`\nsizes: SHA-256 of a KB takes ${round(digestUs, 2)} µs\n`);
  console.table(
    CONTENDERS.flatMap(({ name }) =>
      SIZES.map(([bodyBytes]) => {
        const of = (bytes: number) => results.filter((one) => one.contender === name && one.bodyBytes === bytes);
        const cpu = (bytes: number): number => median(of(bytes).map(({ cpuUs }) => cpuUs));
        const rate = median(of(bodyBytes).map((one) => one.rate));
        const [least] = SIZES[0];
        const more = (cpu(bodyBytes) - cpu(least)) / ((bodyBytes - least) / 1_024);
        return {
          contender: name,
          'body KB': bodyBytes / 1_024,
          'requests/s': round(rate),
          'MB/s': round((rate * bodyBytes) / 1_048_576, 1),
          'CPU µs a request': round(cpu(bodyBytes)),
          'CPU µs a KB more': bodyBytes === least ? '' : round(more, 2),
        };
      }),
    ),
  );
}

function microsecondsOfSha256(): number {
  const block = randomBytes(1_048_576);
  const times = Array.from({ length: 30 }, () => {
    const started = performance.now();
    hash('sha256', block, 'buffer');
    return (performance.now() - started) * 1_000;
  });
  return median(times) / 1_024;
}
