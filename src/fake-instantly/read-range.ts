import { parseTimestamp } from '../events/parse-timestamp.ts';
import { ApiError } from './api-error.ts';
import { isDate } from './check-schema.ts';
import { type Query, textOf } from './read-query.ts';

const DAY_MS = 86_400_000;

export interface Range {
  /** Epoch milliseconds, both inclusive. */
  readonly from: number;
  readonly until: number;
}

/**
 * `start_date` and `end_date`, each a day or a point in time.
 *
 * @param wholeDays whether an end that is a day means the end of it; else it is its midnight (UTC)
 * @throws ApiError 400
 */
export function readRange(query: Query, wholeDays: boolean): Range {
  const from = readTime(query, 'start_date') ?? Number.NEGATIVE_INFINITY;
  const end = readTime(query, 'end_date') ?? Number.POSITIVE_INFINITY;
  if (from > end) throw new ApiError(400, 'Start Date must be earlier than End Date');
  return { from, until: wholeDays && isDate(textOf(query, 'end_date') ?? '') ? end + DAY_MS - 1 : end };
}

function readTime(query: Query, name: string): number | undefined {
  const text = textOf(query, name);
  if (text === undefined) return undefined;
  const time = parseTimestamp(text);
  if (time === null) throw new ApiError(400, `Invalid ${name}`);
  return time;
}
