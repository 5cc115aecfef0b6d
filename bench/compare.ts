import { PostgresServer } from '../test/support/postgres-server.ts';
import { BARE, type Contender, peers, receiverOn } from './contenders.ts';
import { describeRatios, median, round } from './figures.ts';
import type { LoadOrder, LoadResult } from './load.ts';
import { runLoad } from './run-load.ts';
import { residentMb, SECRET } from './servers.ts';
import type { StoreKind } from './store-kinds.ts';

/**
 * `accepts`: each request a new event, as many as can be. `rejections`: each signed wrongly. `paced`: new events at a fixed rate,
 * which shows how long one takes where the machine is not at its end.
 */
export const TRAFFIC = ['accepts', 'rejections', 'paced'] as const;
export type Traffic = (typeof TRAFFIC)[number];

export interface CompareOptions {
  readonly traffic: Traffic;
  readonly rounds: number;
  /** Requests measured in each round; as many come before them unmeasured, up to 30,000. */
  readonly amount: number;
  readonly connections: number;
  readonly stores: readonly StoreKind[];
  /** Requests a second of paced traffic. */
  readonly pace: number;
}

export interface Measured extends LoadResult {
  readonly contender: string;
  readonly rssMb: number;
}

/** Until nearly all code is compiled, of which some contenders have more than others: what is measured runs for months. */
const WARM_UP = 30_000;

/** Durable accepts on each store, and what others do with a webhook, beside a bare Express route that stores nothing. */
export async function compare(options: CompareOptions): Promise<readonly Measured[]> {
  const { traffic, stores, rounds } = options;
  const server = stores.includes('postgres') ? await PostgresServer.start({ durable: true }) : undefined;
  try {
    const others = traffic === 'paced' ? [] : peers();
    const contenders = [BARE, ...others, ...stores.map((kind) => receiverOn(kind, server))];
    const results: Measured[] = [];
    for (let n = 1; n <= rounds; n += 1) {
      // In turn, so that a machine whose speed drifts is as unkind to one as to the other.
      for (const contender of contenders) {
        const result = await measure(contender, options);
        results.push(result);
        process.stderr.write(
          `${traffic} ${n}: ${contender.name} ${round(result.rate)}/s, p99 ${result.p99} ms, ${round(result.rssMb)} MB\n`,
        );
      }
    }
    report(
      traffic,
      contenders.map(({ name }) => name),
      results,
    );
    return results;
  } finally {
    await server?.remove();
  }
}

async function measure(
  { name, signing, start }: Contender,
  { traffic, amount, connections, pace }: CompareOptions,
): Promise<Measured> {
  const server = await start();
  try {
    const order: Omit<LoadOrder, 'amount'> = {
      url: server.url,
      secret: SECRET,
      connections,
      leads: 5_000,
      signing,
      wrong: traffic === 'rejections',
    };
    await runLoad({ ...order, amount: Math.min(WARM_UP, amount) });
    const result = await runLoad({ ...order, amount, ...(traffic === 'paced' ? { pace } : {}) });
    if (result.ok !== amount) throw new Error(`${name}: ${amount - result.ok} of ${amount} were answered otherwise`);
    return { contender: name, ...result, rssMb: residentMb(server.pid) };
  } finally {
    await server.stop();
  }
}

function report(traffic: Traffic, names: readonly string[], results: readonly Measured[]): void {
  const of = (name: string) => results.filter(({ contender }) => contender === name);
  const middle = (name: string, key: 'rate' | 'p50' | 'p99' | 'p999' | 'max' | 'rssMb'): number =>
    Number(round(median(of(name).map((result) => result[key])), key.startsWith('p') ? 1 : 0));
  process.stdout.write(`\n${traffic}\n`);
  console.table(
    Object.fromEntries(
      names.map((name) => [
        name,
        {
          'requests/s': middle(name, 'rate'),
          'p50 ms': middle(name, 'p50'),
          'p99 ms': middle(name, 'p99'),
          'p99.9 ms': middle(name, 'p999'),
          'max ms': middle(name, 'max'),
          'rss MB': middle(name, 'rssMb'),
        },
      ]),
    ),
  );
  for (const [name = '', base = ''] of pairsOf(names)) {
    const ratios = (key: 'rate' | 'p99' | 'p999'): number[] =>
      of(name).map((result, index) => result[key] / (of(base)[index]?.[key] ?? Number.NaN));
    process.stdout.write(
      `${name} / ${base}, median of ${of(name).length} pairs: rate ${describeRatios(ratios('rate'))}, p99 ${describeRatios(ratios('p99'))}, p99.9 ${describeRatios(ratios('p999'))}\n`,
    );
  }
}

/** Everybody beside the bare route, and the second store beside the first. */
function pairsOf([bare = '', ...others]: readonly string[]): (readonly [string, string])[] {
  const [first, second] = others.filter((name) => name.startsWith('receiver on '));
  const pairs = others.map((name) => [name, bare] as const);
  return first === undefined || second === undefined ? pairs : [...pairs, [second, first]];
}
