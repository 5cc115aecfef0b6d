import type pg from 'pg';
import { StoreUnavailable } from '../../errors/problem.ts';

/**
 * Keeps everybody but the copy itself out of a database that a SQLite file is being copied into: an event that came in
 * between would stand before older ones, and a handler could run on a delivery whose predecessors are not there yet.
 *
 * @throws StoreUnavailable, since it passes: a receiver takes events into its spill until the copy is finished
 */
export async function refuseUnfinishedCopy(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query('SELECT 1 FROM store_copies WHERE finished_at IS NULL');
  if (rows.length > 0)
    throw new StoreUnavailable(
      'a SQLite file is being copied into this database, or the copy was interrupted: run "store copy" to its end',
    );
}
