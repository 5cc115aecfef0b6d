import { InvalidArgumentError, Option } from 'commander';
import { closestName, sameName } from '../config/suggest-name.ts';
import { parseTimestamp } from '../events/parse-timestamp.ts';
import { didYouMean } from './known-names.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100_000;

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document');
}

export function limitOption(): Option {
  return new Option('--limit <n>', 'at most so many').default(DEFAULT_LIMIT).argParser(wholeNumber(1, MAX_LIMIT));
}

export function sinceOption(): Option {
  return new Option('--since <time>', 'from this time on: 2h, 7d, or ISO 8601 (UTC without a zone)').argParser(
    parseMoment,
  );
}

export function untilOption(): Option {
  return new Option('--until <time>', 'before this time').argParser(parseMoment);
}

/** One of a few names, in any case; help shows them all. */
export function choiceOption(flags: string, what: string, choices: readonly string[]): Option {
  return new Option(flags, what).choices(choices).argParser((text) => {
    const chosen = sameName(text, choices);
    if (chosen !== undefined) return chosen;
    const meant = closestName(text, choices);
    throw new InvalidArgumentError(
      `Allowed choices are ${choices.join(', ')}${meant === undefined ? '.' : didYouMean(meant)}`,
    );
  });
}

/** Whole seconds, up to an hour. */
export function secondsOption(flags: string, what: string, seconds: number): Option {
  return new Option(flags, `seconds at the most ${what}`).default(seconds).argParser(wholeNumber(1, 3_600));
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`);
  };
}

/** Epoch milliseconds of `7d` (seven days ago) or of a point in time. */
function parseMoment(text: string): number {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,9})?)([smhdw])$/.exec(text.trim()) ?? [];
  if (amount !== undefined && unit !== undefined) {
    return Math.round(Date.now() - Number(amount) * UNITS[unit as keyof typeof UNITS]);
  }
  const time = parseTimestamp(text);
  if (time !== null) return time;
  throw new InvalidArgumentError(
    'It takes a time ago (30m, 2h, 7d) or one such as 2026-11-18 or 2026-11-18T09:30:00Z.',
  );
}
