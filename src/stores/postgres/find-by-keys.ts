import type { FoundKey, PackedKeys } from '../dedup-keys.ts';
import type { Runner, Statement } from './transaction.ts';

/** LATERAL with a limit: each key is looked up in the index, whatever the server takes the number of them for. */
const FIND: Statement = {
  name: 'find-by-keys',
  text: `SELECT (i.n - 1)::int AS n, held.event_id AS id FROM unnest($1::bigint[]) WITH ORDINALITY AS i (occurred_at, n)
    CROSS JOIN LATERAL (
      SELECT k.event_id FROM dedup_keys k
        WHERE k.occurred_at = i.occurred_at AND k.key = substring($2::bytea FROM (32 * i.n - 31)::int FOR 32)
          AND k.valid_until > $3::bigint
        LIMIT 1) AS held`,
};

/** The ids of the events that hold these keys at `now`, epoch milliseconds. */
export function findByKeys(runner: Runner, { times, bytes }: PackedKeys, now: number): Promise<FoundKey[]> {
  return runner.all<FoundKey>(FIND, times, bytes, now);
}
