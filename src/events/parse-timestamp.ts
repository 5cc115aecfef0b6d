const EARLIEST = Date.UTC(2000, 0, 1);
const LATEST = Date.UTC(2101, 0, 1) - 1;

/** Longer texts are no timestamps. */
const MAX_LENGTH = 64;

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d+))?)? ?(Z|z|UTC|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?)?$/;

const EPOCH = /^\d{9,13}(?:\.\d+)?$/;

/**
 * Epoch milliseconds of what a payload calls its time: an ISO 8601 text, or epoch seconds or milliseconds as a number or
 * as digits. Without a zone it is UTC. `null` for anything else, and outside the years 2000 to 2100, where a value is an
 * error of its sender rather than a time.
 */
export function parseTimestamp(value: unknown): number | null {
  if (typeof value === 'number') return fromEpoch(value);
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return null;
  const text = value.trim();
  return EPOCH.test(text) ? fromEpoch(Number(text)) : fromIso(text);
}

function fromEpoch(value: number): number | null {
  // The two ranges lie a factor of 200 apart, so a value tells its unit itself.
  const milliseconds = value < EARLIEST ? value * 1000 : value;
  return withinYears(Math.round(milliseconds));
}

function fromIso(text: string): number | null {
  const parts = ISO.exec(text);
  if (parts === null) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = parts;
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Date.UTC carries 30 February over into March, month 13 into January, and the year 99 into 1999; such a date is unusable, not
  // another day.
  const date = new Date(midnight);
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return null;
  if (date.getUTCFullYear() !== Number(year)) return null;
  const timeOfDay = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'));
  return withinYears(midnight + timeOfDay + milliseconds - zoneOffset(zone));
}

/** Milliseconds ahead of UTC. */
function zoneOffset(zone: string): number {
  if (!/^[+-]/.test(zone)) return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', ''));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}

function withinYears(milliseconds: number): number | null {
  return milliseconds >= EARLIEST && milliseconds <= LATEST ? milliseconds : null;
}
