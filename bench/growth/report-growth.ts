import { describeRatios, median } from '../figures.ts';
import { STORE_NAMES } from '../store-kinds.ts';
import { GROWING_TABLES, type Plan, shapeOf } from './grown-store.ts';
import type { GrowthResult, Round } from './measure-growth.ts';
import type { Done } from './work-store.ts';

interface Summary {
  readonly size: number;
  readonly acceptsPerSecond: number;
  readonly claimsPerSecond: number;
  /** Of each round's windows, beside those of the first size in the same round. */
  readonly acceptRatios: readonly number[];
  readonly claimRatios: readonly number[];
}

const rateOf = ({ count, seconds }: Done): number => count / seconds;

export function summarise({ sizes }: GrowthResult): readonly Summary[] {
  const base = sizes[0]?.rounds ?? [];
  const ratios = (rounds: readonly Round[], kind: keyof Round): number[] =>
    rounds.flatMap((round, n) => {
      const beside = base[n];
      return beside === undefined ? [] : [rateOf(round[kind]) / rateOf(beside[kind])];
    });
  return sizes.map(({ size, rounds }) => ({
    size,
    acceptsPerSecond: Math.round(median(rounds.map(({ accept }) => rateOf(accept)))),
    claimsPerSecond: Math.round(median(rounds.map(({ claim }) => rateOf(claim)))),
    acceptRatios: ratios(rounds, 'accept'),
    claimRatios: ratios(rounds, 'claim'),
  }));
}

export function reportRates(result: GrowthResult): void {
  const base = result.sizes[0];
  process.stdout.write(
    `\n${STORE_NAMES[result.store]}: medians of ${base?.rounds.length} windows; ratios beside ${base?.size} events, round by round\n`,
  );
  console.table(
    Object.fromEntries(
      summarise(result).map(({ size, acceptsPerSecond, claimsPerSecond, acceptRatios, claimRatios }, index) => [
        `${size} events`,
        {
          'added meanwhile': result.sizes[index]?.added,
          'accepts/s': acceptsPerSecond,
          'accept ratio': describeRatios(acceptRatios),
          'claims + outcomes/s': claimsPerSecond,
          'claim ratio': describeRatios(claimRatios),
        },
      ]),
    ),
  );
}

/** Those of the largest size, and of the first size those that are others. */
export function reportPlans({ store, sizes }: GrowthResult): void {
  const largest = sizes.toSorted((a, b) => b.size - a.size)[0];
  const first = sizes[0];
  if (largest === undefined || first === undefined) return;
  process.stdout.write(`\n${STORE_NAMES[store]}: how accepts, claims and outcomes work at ${largest.size} events\n`);
  printPlans(largest.plans);
  const shapes = new Map(largest.plans.map(({ statement, lines }) => [statement, shapeOf(lines)]));
  const others = first.plans.filter(({ statement, lines }) => shapes.get(statement) !== shapeOf(lines));
  if (others.length > 0) {
    process.stdout.write(`\n${STORE_NAMES[store]}: what works in another way where ${first.size} events were stored\n`);
    printPlans(others);
  }
  const whole = largest.plans.filter(({ lines }) => lines.some(readsAll)).map(({ statement }) => statement);
  process.stdout.write(
    whole.length === 0
      ? `\nAt ${largest.size} events none of them reads a whole table of ${GROWING_TABLES.join(', ')}.\n`
      : `\nREADS A WHOLE TABLE: ${whole.join('; ')}\n`,
  );
}

function printPlans(plans: readonly Plan[]): void {
  for (const { statement, lines } of plans)
    process.stdout.write(`\n${statement}\n${lines.map((line) => `    ${line}`).join('\n')}\n`);
}

/** In PostgreSQL's words, or SQLite's, which names a table by its alias and says SCAN of an index read whole too. */
function readsAll(line: string): boolean {
  const scanned = /(?:Seq Scan on|^SCAN) (\w+)/.exec(line)?.[1];
  return scanned !== undefined && (scanned.length === 1 || GROWING_TABLES.some((table) => table === scanned));
}
