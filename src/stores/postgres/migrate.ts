import type pg from 'pg';
import { SettingsError } from '../../errors/problem.ts';
import { readMigrations } from '../read-migrations.ts';
import { refuseUnfit } from './refuse-unfit.ts';

/** What this code was written for: the number of its newest migration. */
const RELEASE = 6;

/** Milliseconds to wait for another process that migrates. */
const LOCK_LIMIT_MS = 60_000;

interface Applied {
  readonly version: number;
  readonly least_release: number;
}

/**
 * Applies what is missing. A session lock comes first, so that of many processes starting at once one migrates and the
 * others find it done; each migration is a transaction. The connection needs long time limits, and is closed afterwards,
 * which gives the lock back.
 * @throws SettingsError where the database is none of ours, or has a schema that this release cannot run on.
 */
export async function migrate(client: pg.Client, migrations = readMigrations('postgres'), release = RELEASE) {
  await refuseUnfit(client, migrations);
  if (await isCurrent(client, migrations.length)) return refuseNewerSchema(client, release);
  await client.query(`SET lock_timeout = ${LOCK_LIMIT_MS}`);
  await client.query(`SELECT pg_advisory_lock(hashtextextended('instantly receiver: migrations', 0))`);
  await client.query(
    `CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,
      least_release integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  const applied = new Set((await readApplied(client)).map(({ version }) => version));
  for (const { version, name, leastRelease, sql } of migrations) {
    if (applied.has(version)) continue;
    await client.query('BEGIN');
    try {
      await client.query(sql);
      await client.query('INSERT INTO schema_migrations (version, name, least_release) VALUES ($1, $2, $3)', [
        version,
        name,
        leastRelease,
      ]);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }
  await refuseNewerSchema(client, release);
}

async function isCurrent(client: pg.Client, newest: number): Promise<boolean> {
  const { rows } = await client.query<{ known: boolean }>(
    `SELECT to_regclass('schema_migrations') IS NOT NULL AS known`,
  );
  if (rows[0]?.known !== true) return false;
  return (await readApplied(client)).length >= newest;
}

async function readApplied(client: pg.Client): Promise<Applied[]> {
  return (await client.query<Applied>('SELECT version, least_release FROM schema_migrations')).rows;
}

async function refuseNewerSchema(client: pg.Client, release: number): Promise<void> {
  const applied = await readApplied(client);
  const least = Math.max(0, ...applied.map(({ least_release: needed }) => needed));
  if (least <= release) return;
  throw new SettingsError([
    `DATABASE_URL: the database has schema ${Math.max(...applied.map(({ version }) => version))}, which needs release ${least} of the receiver or newer, and this is release ${release}; start the newer release or restore a backup made before the update`,
  ]);
}
