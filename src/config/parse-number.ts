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
