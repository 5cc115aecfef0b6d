import { fault, type Parsed } from './parsed.ts';

/**
 * A whole number in decimal digits within bounds, both included.
 *
 * @param unit as in `whole number of seconds`; absent for a bare count.
 */
export function parseWholeNumber(text: string, min: number, max: number, unit?: string): Parsed<number> {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return { value };
  return fault(`must be a whole number${unit === undefined ? '' : ` of ${unit}`} from ${min} to ${max}`);
}

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * A duration in milliseconds: `90s`, `90m`, `24h` or `7d`, in either case; `off`: `undefined`.
 *
 * @param minMs whole minutes, included
 * @param maxMs whole days, included
 */
export function parseDuration(text: string, minMs: number, maxMs: number): Parsed<number | undefined> {
  if (text.toLowerCase() === 'off') return { value: undefined };
  const [, number, unit] = /^(\d{1,9}) ?([smhd])$/.exec(text.toLowerCase()) ?? [];
  const value = isUnit(unit) ? Number(number) * UNITS_MS[unit] : Number.NaN;
  if (value >= minMs && value <= maxMs) return { value };
  return fault(
    `must be off, or a duration such as 90m, 24h or 7d, from ${minMs / UNITS_MS.m}m to ${maxMs / UNITS_MS.d}d`,
  );
}

function isUnit(text: string | undefined): text is keyof typeof UNITS_MS {
  return text !== undefined && Object.hasOwn(UNITS_MS, text);
}
