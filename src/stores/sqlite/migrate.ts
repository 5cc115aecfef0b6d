import { readdirSync, readFileSync } from 'node:fs';
import { SettingsError } from '../../errors/problem.ts';
import type { Connection } from './connection.ts';

/** What this code was written for: the number of its newest migration. */
export const RELEASE = 1;

const FOLDER = new URL('../../../migrations/sqlite/', import.meta.url);

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly leastRelease: number;
  readonly sql: string;
}

export function readMigrations(folder: URL = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => {
      const sql = readFileSync(new URL(name, folder), 'utf8');
      const least = /^-- least release: (\d+)\n/.exec(sql)?.[1];
      if (least === undefined) throw new Error(`${name} does not begin with its least release`);
      return { version: Number.parseInt(name, 10), name, leastRelease: Number(least), sql };
    });
}

/**
 * Applies what is missing, each migration in the one transaction that takes the write lock first, so that of several
 * processes starting at once one migrates and the others find it done.
 * @throws SettingsError where the file has a schema that this release cannot run on.
 */
export function migrate(connection: Connection, migrations = readMigrations(), release = RELEASE): void {
  if (isCurrent(connection, migrations)) return;
  connection.transaction(() => {
    connection.db.exec(
      'CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, least_release INTEGER NOT NULL, applied_at INTEGER NOT NULL) STRICT',
    );
    const applied = new Set(
      connection.all<{ version: number }>('SELECT version FROM schema_migrations').map(({ version }) => version),
    );
    for (const migration of migrations) {
      if (applied.has(migration.version)) continue;
      connection.db.exec(migration.sql);
      connection.run(
        'INSERT INTO schema_migrations (version, name, least_release, applied_at) VALUES (?, ?, ?, ?)',
        migration.version,
        migration.name,
        migration.leastRelease,
        Date.now(),
      );
    }
    refuseNewerSchema(connection, release);
  });
}

function isCurrent(connection: Connection, migrations: readonly Migration[]): boolean {
  const known = connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'");
  if (known === undefined) return false;
  const newest = connection.get<{ version: number }>('SELECT max(version) AS version FROM schema_migrations')?.version;
  return newest === migrations.at(-1)?.version;
}

function refuseNewerSchema(connection: Connection, release: number): void {
  const row = connection.get<{ least: number; version: number }>(
    'SELECT max(least_release) AS least, max(version) AS version FROM schema_migrations',
  );
  if (row !== undefined && row.least > release) {
    throw new SettingsError([
      `DATABASE_URL: the file has schema ${row.version}, which needs release ${row.least} of the receiver or newer, and this is release ${release}; start the newer release or restore a backup made before the update`,
    ]);
  }
}
