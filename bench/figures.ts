import { mkdirSync, writeFileSync } from 'node:fs';

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
};

export const round = (value: number, digits = 0): string => value.toFixed(digits);

/** The median of pairs, and how far they lie apart. */
export function describeRatios(ratios: readonly number[]): string {
  return `${round(median(ratios), 2)} (${round(Math.min(...ratios), 2)} to ${round(Math.max(...ratios), 2)})`;
}

export function saveResults(folder: string, name: string, results: unknown): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(results, null, 2)}\n`);
}
