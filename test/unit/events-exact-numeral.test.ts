import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isExactNumeral } from '../../src/events/exact-numeral.ts';

test.each([
  '0',
  '-0',
  '0.0',
  '0e999999999',
  '1',
  '1.0',
  '1e0',
  '10e-1',
  '0.1e1',
  '0.1',
  '-0.1',
  '100',
  '1E+2',
  '1e-7',
  '4.50',
  '0.000000000000000000000000001',
  '1757231465412',
  '9007199254740991',
  '9007199254740992',
  '9007199254740994',
  '0.30000000000000004',
  '0.300000000000000040',
  '123456789012345680000',
  '1.2345678901234568e20',
  '1e21',
  '1e23',
  '5e-324',
  '1.7976931348623157e308',
  `1${'0'.repeat(300)}`,
  `0.${'0'.repeat(400)}1e401`,
  `1.${'0'.repeat(5000)}`,
])('%s is what its double prints as', (numeral) => {
  expect(isExactNumeral(numeral)).toBe(true);
});

test.each([
  '0.1000000000000000055',
  '0.1000000000000000055511151231257827021181583404541015625',
  '12345678901234567890',
  '9007199254740993',
  '-9007199254740993',
  '333333333.33333329',
  '1e400',
  '-1e400',
  '1e99999999999999999999',
  '1e-400',
  '3e-324',
  '4.9e-324',
  '1.79769313486231571e308',
  '0.300000000000000041',
  '1.00000000000000000001',
  `1${'0'.repeat(300)}1`,
])('%s is not', (numeral) => {
  expect(isExactNumeral(numeral)).toBe(false);
});

test('agrees with arithmetic on whole decimals', () => {
  const numeral = fc.tuple(
    fc.boolean(),
    fc.bigInt({ min: 0n, max: 10n ** 22n }),
    fc.integer({ min: -30, max: 30 }),
    fc.nat(25),
  );
  fc.assert(
    fc.property(numeral, ([negative, digits, exponent, places]) => {
      const padded = digits.toString().padStart(places + 1, '0');
      const mantissa = places === 0 ? padded : `${padded.slice(0, -places)}.${padded.slice(-places)}`;
      const text = `${negative ? '-' : ''}${mantissa}e${exponent}`;
      expect(isExactNumeral(text)).toBe(denotesTheSame(text, String(Number(text))));
    }),
    { numRuns: 2000 },
  );
});

/** Compares two decimals as fractions over 10^400. */
function denotesTheSame(a: string, b: string): boolean {
  return scaled(a) === scaled(b);
}

function scaled(decimal: string): bigint {
  const [mantissa = '', exponent = '0'] = decimal.split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return BigInt(whole + fraction) * 10n ** BigInt(400 + Number(exponent) - fraction.length);
}

test('takes time in proportion to a long numeral', () => {
  // Quadratic work on a million digits would not end within the time-out of a test.
  const zeros = '0'.repeat(1_000_000);
  expect(isExactNumeral(`0.${zeros}1${zeros}1`)).toBe(false);
  expect(isExactNumeral(`1${zeros}`)).toBe(false);
  expect(isExactNumeral(`1.${zeros}`)).toBe(true);
});
