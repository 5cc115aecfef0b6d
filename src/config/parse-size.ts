import { fault, type Parsed } from './parsed.ts';

const UNITS = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 } as const;

/**
 * A size in bytes: `10mb`, `512kb`, `1048576`. Units are powers of 1024 whatever their spelling (`10m`, `10MB`, `10MiB`).
 *
 * @param min bytes, included
 * @param max bytes, included
 */
export function parseSize(text: string, min: number, max: number): Parsed<number> {
  const match = /^(\d{1,15}) ?(?:([kmg])i?b?|b)?$/i.exec(text);
  const unit = (match?.[2] ?? '').toLowerCase();
  const value = match === null || !isUnit(unit) ? Number.NaN : Number(match[1]) * UNITS[unit];
  if (value >= min && value <= max) return { value };
  return fault(`must be a size such as 512kb, 10mb or 1048576 (bytes), from ${formatSize(min)} to ${formatSize(max)}`);
}

/** In the largest unit that leaves a whole number; `parseSize` reads it back. */
export function formatSize(bytes: number): string {
  for (const unit of ['g', 'm', 'k'] as const) {
    if (bytes >= UNITS[unit] && bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}b`;
  }
  return String(bytes);
}

function isUnit(text: string): text is keyof typeof UNITS {
  return Object.hasOwn(UNITS, text);
}
