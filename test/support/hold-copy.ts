import { setTimeout as pause } from 'node:timers/promises';
import type { TestDatabase } from './postgres.ts';

const LOCK = 4711;
const LOOK_MS = 20;

/**
 * Stops a copy into the database inside the transaction of a step, once that many rows of the table are in it, until
 * `release`. The schema has to be in place.
 */
export async function holdCopy(database: TestDatabase, table: string, rows = 1) {
  await database.query(`CREATE OR REPLACE FUNCTION hold_copy() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.at_table = '${table}' AND NEW.at_rows >= ${rows} THEN PERFORM pg_advisory_xact_lock(${LOCK}); END IF;
      RETURN NEW;
    END $$`);
  await database.query(
    `CREATE OR REPLACE TRIGGER hold_copy BEFORE UPDATE ON store_copies FOR EACH ROW EXECUTE FUNCTION hold_copy()`,
  );
  await database.query(`SELECT pg_advisory_lock(${LOCK})`);
  return {
    /** Resolves when it is there. */
    reached: async (): Promise<void> => {
      for (;;) {
        const waiting = await database.query(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = ${LOCK} AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        if (waiting.length > 0) return;
        await pause(LOOK_MS);
      }
    },
    release: async (): Promise<void> => {
      await database.query(`SELECT pg_advisory_unlock(${LOCK})`);
      await database.query('DROP TRIGGER hold_copy ON store_copies');
    },
  };
}
