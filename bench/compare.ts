import { createTestDatabase } from '../test/support/postgres.ts';
import { addressOf } from '../test/support/postgres-broker.ts';
import { PostgresServer } from '../test/support/postgres-server.ts';
import { AUDIT_KEY } from './audit-key.ts';
import { describeRatios, median, round } from './figures.ts';
import type { LoadResult } from './load.ts';
import { runLoad } from './run-load.ts';
import { BARE_ROUTE, RECEIVER, type RunningServer, residentMb, SECRET, startServer } from './servers.ts';
import { STORE_NAMES, type StoreKind } from './store-kinds.ts';

export interface CompareOptions {
  readonly rounds: number;
  /** Requests measured in each round; fewer come before them, unmeasured. */
  readonly amount: number;
  readonly connections: number;
  readonly stores: readonly StoreKind[];
}

export interface Measured extends LoadResult {
  readonly contender: string;
  readonly rssMb: number;
}

interface Contender {
  readonly name: string;
  start(): Promise<Pick<RunningServer, 'url' | 'pid' | 'stop'>>;
}

const BARE: Contender = { name: 'bare route', start: () => startServer(BARE_ROUTE) };
const WARM_UP = 10_000;

/** Durable accepts on each store beside a bare Express route that verifies and stores nothing. */
export async function compare(options: CompareOptions): Promise<readonly Measured[]> {
  const server = options.stores.includes('postgres') ? await PostgresServer.start({ durable: true }) : undefined;
  try {
    const contenders = [BARE, ...options.stores.map((kind) => receiverOn(kind, server))];
    const results: Measured[] = [];
    for (let n = 1; n <= options.rounds; n += 1) {
      // In turn, so that a machine whose speed drifts is as unkind to one as to the other.
      for (const contender of contenders) {
        const result = await measure(contender, options);
        results.push(result);
        process.stderr.write(
          `round ${n}: ${contender.name} ${round(result.rate)}/s, p99 ${result.p99} ms, ${round(result.rssMb)} MB\n`,
        );
      }
    }
    report(
      contenders.map(({ name }) => name),
      results,
    );
    return results;
  } finally {
    await server?.remove();
  }
}

/** Each start is on an empty store. */
function receiverOn(kind: StoreKind, server: PostgresServer | undefined): Contender {
  const name = `receiver on ${STORE_NAMES[kind]}`;
  if (kind === 'sqlite' || server === undefined) return { name, start: () => startServer(RECEIVER, { AUDIT_KEY }) };
  return {
    name,
    async start() {
      const database = await createTestDatabase(addressOf(server));
      try {
        const receiver = await startServer(RECEIVER, { AUDIT_KEY, DATABASE_URL: database.url });
        return { ...receiver, stop: () => receiver.stop().finally(() => database.drop()) };
      } catch (error) {
        await database.drop();
        throw error;
      }
    },
  };
}

async function measure({ name, start }: Contender, { amount, connections }: CompareOptions): Promise<Measured> {
  const server = await start();
  try {
    const order = { url: server.url, secret: SECRET, connections, leads: 5_000 };
    await runLoad({ ...order, amount: Math.min(WARM_UP, amount) });
    const result = await runLoad({ ...order, amount });
    if (result.ok !== amount) throw new Error(`${name}: ${amount - result.ok} of ${amount} were not answered 200`);
    return { contender: name, ...result, rssMb: residentMb(server.pid) };
  } finally {
    await server.stop();
  }
}

function report(names: readonly string[], results: readonly Measured[]): void {
  const of = (name: string) => results.filter(({ contender }) => contender === name);
  console.table(
    Object.fromEntries(
      names.map((name) => [
        name,
        {
          'requests/s': Math.round(median(of(name).map(({ rate }) => rate))),
          'p50 ms': median(of(name).map(({ p50 }) => p50)),
          'p99 ms': median(of(name).map(({ p99 }) => p99)),
          'max ms': median(of(name).map(({ max }) => max)),
          'rss MB': Math.round(median(of(name).map(({ rssMb }) => rssMb))),
        },
      ]),
    ),
  );
  // Each receiver beside the bare route, and the second receiver beside the first.
  const [bare = '', ...receivers] = names;
  const [first, second] = receivers;
  const pairs = receivers.map((name) => [name, bare]);
  if (first !== undefined && second !== undefined) pairs.push([second, first]);
  for (const [name = '', base = ''] of pairs) {
    const bases = of(base);
    const rate = of(name).map((result, index) => result.rate / (bases[index]?.rate ?? Number.NaN));
    const p99 = of(name).map((result, index) => result.p99 / (bases[index]?.p99 ?? Number.NaN));
    process.stdout.write(
      `${name} / ${base}, median of ${rate.length} pairs: rate ${describeRatios(rate)}, p99 ${round(median(p99), 2)}\n`,
    );
  }
}
