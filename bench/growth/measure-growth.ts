import { round } from '../figures.ts';
import { STORE_NAMES, type StoreKind } from '../store-kinds.ts';
import { openPostgresGround } from './grow-postgres.ts';
import { openSqliteGround } from './grow-sqlite.ts';
import type { Ground, GrownStore, Plan } from './grown-store.ts';
import { reportPlans, reportRates, summarise } from './report-growth.ts';
import { type Done, StoreWork } from './work-store.ts';

export interface GrowthOptions {
  readonly stores: readonly StoreKind[];
  /** Stored events; the first is what the others are held against. */
  readonly sizes: readonly number[];
  /** For accepts, and as long for claims, at each size: in as many windows as there are rounds. */
  readonly seconds: number;
  readonly rounds: number;
}

/** One window of each kind. */
export interface Round {
  readonly accept: Done;
  readonly claim: Done;
}

export interface GrowthResult {
  readonly store: StoreKind;
  readonly sizes: readonly {
    readonly size: number;
    readonly buildSeconds: number;
    readonly bytes: number;
    readonly rounds: readonly Round[];
    /** Events that the measurement added, the warm-up and what was put in for claims included. */
    readonly added: number;
    readonly plans: readonly Plan[];
  }[];
}

interface Contender {
  readonly grown: GrownStore;
  readonly work: StoreWork;
  readonly rounds: Round[];
}

/** Part of a window, before the first one: until statements are prepared and code is compiled. */
const WARM_UP = 0.2;

/** What accepting and claiming cost as stored events grow. */
export async function measureGrowth(options: GrowthOptions): Promise<readonly GrowthResult[]> {
  const results: GrowthResult[] = [];
  for (const kind of options.stores) {
    const ground = kind === 'sqlite' ? openSqliteGround() : await openPostgresGround();
    try {
      results.push(await measureStore(ground, options));
    } finally {
      await ground.remove();
    }
  }
  for (const result of results) {
    reportPlans(result);
    reportRates(result);
  }
  return results.map((result) => ({ ...result, summary: summarise(result) }));
}

async function measureStore(ground: Ground, options: GrowthOptions): Promise<GrowthResult> {
  const { sizes, seconds, rounds } = options;
  const contenders: Contender[] = [];
  for (const size of sizes) {
    const grown = await ground.grow(size);
    contenders.push({ grown, work: new StoreWork(grown), rounds: [] });
    tell(ground.kind, `${size} events in ${round(grown.made.seconds, 1)} s, ${megabytes(grown.made.bytes)} MB`);
  }
  const length = seconds / rounds;
  for (const { grown, work } of contenders) await measureRound({ grown, work }, length * WARM_UP);
  for (let n = 0; n < rounds; n += 1) {
    // In turn and each time from another one on: a machine whose speed drifts, and a checkpoint after one's neighbour, are as
    // unkind to one as to the other.
    for (const contender of rotate(contenders, n)) {
      const measured = await measureRound(contender, length);
      contender.rounds.push(measured);
      tell(
        ground.kind,
        `round ${n + 1}, ${contender.grown.size} events: ${rate(measured.accept)} accepts/s, ${rate(measured.claim)} claims/s`,
      );
    }
  }
  const results: GrowthResult['sizes'][number][] = [];
  for (const contender of contenders) results.push(await toResult(contender));
  return { store: ground.kind, sizes: results };
}

/** Each window begins with nothing to claim and ends so. */
async function measureRound({ grown, work }: Pick<Contender, 'grown' | 'work'>, seconds: number): Promise<Round> {
  const accept = await work.acceptFor(seconds);
  const claim = await work.finishFor(seconds);
  await work.clear();
  await grown.settle();
  return { accept, claim };
}

async function toResult({ grown, work, rounds }: Contender): Promise<GrowthResult['sizes'][number]> {
  const { size, made } = grown;
  const plans = await grown.explain();
  return { size, buildSeconds: made.seconds, bytes: made.bytes, rounds, added: work.accepted, plans };
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

const rate = ({ count, seconds }: Done): string => round(count / seconds);
const megabytes = (bytes: number): string => round(bytes / 1_048_576);

function tell(kind: StoreKind, text: string): void {
  process.stderr.write(`${STORE_NAMES[kind]}: ${text}\n`);
}
