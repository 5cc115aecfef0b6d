import { type Reason, readHeader } from './read-header.ts';

export interface TimestampRule {
  /** Lower case. */
  readonly header: string;
  readonly toleranceSeconds: number;
}

/**
 * Reads the time at which a request says it was signed, in Unix seconds, and holds it against the clock. The text comes
 * back exactly as it was sent, because that is what the signature covers.
 *
 * @param now epoch milliseconds
 */
export function readTimestamp(
  rawHeaders: readonly string[],
  rule: TimestampRule,
  now: number,
): { readonly value: string } | Reason {
  const header = readHeader(rawHeaders, rule.header);
  // It is read only where a signature was presented, so the credentials are there, but not whole.
  if (header === 'missing') return 'incomplete';
  if (typeof header === 'string') return header;
  return checkTimestamp(header.value, rule.toleranceSeconds, now) ?? header;
}

/** @returns `undefined` where it is one, and within the tolerance */
export function checkTimestamp(text: string, toleranceSeconds: number, now: number): Reason | undefined {
  // Digits and nothing else: Number would take signs, fractions, exponents, hexadecimal and white space too. Twelve of
  // them reach past the year 30000 and still tell milliseconds from seconds.
  if (!/^[0-9]{1,12}$/.test(text)) return 'malformed';
  const age = Math.floor(now / 1000) - Number(text);
  if (age > toleranceSeconds) return 'stale';
  return age < -toleranceSeconds ? 'future' : undefined;
}
