import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseTimestamp } from '../../src/events/parse-timestamp.ts';

const SENT = Date.UTC(2026, 10, 18, 8, 2, 11);

test.each<[unknown, number]>([
  ['2026-11-18T08:02:11.204Z', SENT + 204],
  ['2026-11-18T08:02:11Z', SENT],
  ['2026-11-18t08:02:11z', SENT],
  ['2026-11-18T08:02:11', SENT],
  ['2026-11-18 08:02:11', SENT],
  ['2026-11-18 08:02:11 UTC', SENT],
  ['2026-11-18T08:02:11.204567', SENT + 204],
  ['2026-11-18T08:02:11.2Z', SENT + 200],
  ['2026-11-18T08:02:11,204Z', SENT + 204],
  ['2026-11-18T09:02:11+01:00', SENT],
  ['2026-11-18T09:02:11+01', SENT],
  ['2026-11-18T03:32:11.000-0430', SENT],
  ['2026-11-18T13:47:11+05:45', SENT],
  ['  2026-11-18T08:02:11Z\n', SENT],
  ['2026-11-18T08:02', SENT - 11_000],
  ['2026-11-18', Date.UTC(2026, 10, 18)],
  ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
  [SENT, SENT],
  [SENT / 1000, SENT],
  [SENT + 0.4, SENT],
  [SENT / 1000 + 0.204, SENT + 204],
  [1_795_000_000.001, 1_795_000_000_001],
  [String(SENT), SENT],
  [String(SENT / 1000), SENT],
  [`${SENT / 1000}.204`, SENT + 204],
  ['2000-01-01T00:00:00Z', 946_684_800_000],
  [946_684_800, 946_684_800_000],
  ['2100-12-31T23:59:59.999Z', 4_133_980_799_999],
  [4_133_980_799, 4_133_980_799_000],
])('%j is %d', (value, expected) => {
  expect(parseTimestamp(value)).toBe(expected);
});

test.each<[unknown]>([
  [undefined],
  [null],
  [true],
  [{}],
  [['2026-11-18T08:02:11Z']],
  [''],
  ['yesterday'],
  ['2026-02-30T00:00:00Z'],
  // Date.UTC takes the years 0 to 99 for those of the last century.
  ['0099-12-31T23:59:59-14:00'],
  ['2027-02-29'],
  ['2026-13-01'],
  ['2026-00-10'],
  ['2026-11-18T24:00:00Z'],
  ['2026-11-18T08:60:00Z'],
  ['2026-11-18T08:02:11+15:00'],
  ['2026-11-18T08:02:11Z and more'],
  ['18/11/2026 08:02'],
  ['Wed, 18 Nov 2026 08:02:11 GMT'],
  ['20261118'],
  [20_261_118],
  ['1999-12-31T23:59:59.999Z'],
  ['2000-01-01T00:30:00+01:00'],
  ['2101-01-01T00:00:00Z'],
  ['0000-01-01T00:00:00Z'],
  [946_684_799],
  [4_133_980_800_000],
  [SENT * 1000],
  [0],
  [-1],
  [1e308],
  [Number.POSITIVE_INFINITY],
  [Number.NaN],
  [`2026-11-18T08:02:11.${'2'.repeat(60)}Z`],
])('%j is no usable time', (value) => {
  expect(parseTimestamp(value)).toBeNull();
});

describe('any time of those years', () => {
  const time = fc.date({
    min: new Date('2000-01-01T00:00:00Z'),
    max: new Date('2100-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });

  test('is read back from its ISO text', () => {
    fc.assert(
      fc.property(time, (date) => {
        expect(parseTimestamp(date.toISOString())).toBe(date.getTime());
      }),
    );
  });

  test('is read back from seconds and from milliseconds', () => {
    fc.assert(
      fc.property(time, (date) => {
        const seconds = Math.floor(date.getTime() / 1000);
        expect(parseTimestamp(seconds)).toBe(seconds * 1000);
        expect(parseTimestamp(String(seconds))).toBe(seconds * 1000);
        expect(parseTimestamp(date.getTime())).toBe(date.getTime());
        expect(parseTimestamp(String(date.getTime()))).toBe(date.getTime());
      }),
    );
  });
});

test('whatever the value, the answer is a whole number of milliseconds or none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.double(), fc.string()), (value) => {
      const read = parseTimestamp(value);
      expect(read === null || Number.isInteger(read)).toBe(true);
    }),
  );
});
