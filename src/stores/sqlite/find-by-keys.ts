import type { FoundKey, PackedKeys } from '../dedup-keys.ts';
import type { Connection } from './connection.ts';

/** CROSS: the keys asked for come first, and each is looked up in the index. */
const FIND = `SELECT i.key AS n, e.id FROM json_each(?1) i
    CROSS JOIN dedup_keys k ON k.occurred_at = i.value AND k.key = substr(?2, 32 * i.key + 1, 32)
    CROSS JOIN events e ON e.seq = k.event_seq
  WHERE k.valid_until > ?3`;

/** The ids of the events that hold these keys at `now`, epoch milliseconds. */
export function findByKeys(connection: Connection, { times, bytes }: PackedKeys, now: number): FoundKey[] {
  return connection.all<FoundKey>(FIND, JSON.stringify(times), bytes, now);
}
