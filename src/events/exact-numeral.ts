/** Any decimal of so few digits is what its double prints as (a double holds 15 significant digits of any decimal). */
const ALWAYS_EXACT = 15;

/** A double's shortest form never has more significant digits. */
const MOST_DIGITS = 17;

const ZERO = 0x30;

/**
 * Whether a JSON numeral denotes the very value that its double's shortest form denotes: `1`, `1.0` and `10e-1` do,
 * `0.1000000000000000055`, `12345678901234567890` and `1e400` do not. Linear in the numeral's length.
 */
export function isExactNumeral(numeral: string): boolean {
  const exponentAt = numeral.search(/[eE]/);
  if (exponentAt === -1 && numeral.length <= ALWAYS_EXACT) return true;
  const value = Number(numeral);
  if (!Number.isFinite(value)) return false;
  const written = decimalOf(numeral);
  if (written.digits.length > MOST_DIGITS) return false;
  const shortest = decimalOf(String(value));
  return written.digits === shortest.digits && written.exponent === shortest.exponent;
}

/** 0.`digits` × 10^`exponent` without its sign, which no rounding changes; `digits` neither begins nor ends with a zero. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

function decimalOf(numeral: string): Decimal {
  const exponentAt = numeral.search(/[eE]/);
  const unsigned = numeral.startsWith('-') ? 1 : 0;
  const mantissa = numeral.slice(unsigned, exponentAt === -1 ? undefined : exponentAt);
  const exponent = exponentAt === -1 ? 0 : Number(numeral.slice(exponentAt + 1));
  const point = mantissa.indexOf('.');
  const whole = point === -1 ? mantissa : mantissa.slice(0, point) + mantissa.slice(point + 1);
  // Loops, because a regular expression for trailing zeros takes quadratic time over a long run of inner ones.
  let first = 0;
  while (whole.charCodeAt(first) === ZERO) first++;
  if (first === whole.length) return { digits: '', exponent: 0 };
  let end = whole.length;
  while (whole.charCodeAt(end - 1) === ZERO) end--;
  return { digits: whole.slice(first, end), exponent: (point === -1 ? whole.length : point) - first + exponent };
}
