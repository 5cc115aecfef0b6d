import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SettingsError } from '../../errors/problem.ts';
import { type Migration, readMigrations } from '../read-migrations.ts';
import type { Connection } from './connection.ts';
import type { FileSetting } from './thread-protocol.ts';

/** What this code was written for: the number of its newest migration. */
export const RELEASE = 6;

export interface MigrateOptions {
  readonly migrations?: readonly Migration[];
  readonly release?: number;
  readonly setting?: FileSetting;
  /** Told before the file of an earlier release is changed, which may take a minute for ten million events. */
  readonly onUpgrade?: () => void;
}

/**
 * Applies what is missing, each migration in the one transaction that takes the write lock first, so that of several
 * processes starting at once one migrates and the others find it done.
 * @throws SettingsError where the file has a schema that this release cannot run on; and what `onUpgrade` throws
 */
export function migrate(connection: Connection, options: MigrateOptions = {}): void {
  const { migrations = readMigrations('sqlite'), release = RELEASE, setting = 'DATABASE_URL', onUpgrade } = options;
  const newest = migrations.at(-1)?.version ?? 0;
  const version = schemaVersion(connection);
  if (version === newest) return;
  if (version !== 0 && version < newest) onUpgrade?.();
  // A migration may change a constraint in place.
  connection.db.enableDefensive(false);
  try {
    connection.sortingOnDisk(() => applyMissing(connection, migrations, release, setting));
  } finally {
    connection.db.enableDefensive(true);
  }
}

function applyMissing(
  connection: Connection,
  migrations: readonly Migration[],
  release: number,
  setting: FileSetting,
): void {
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
    refuseNewerSchema(connection, release, setting);
  });
}

/** 0: none of ours. */
function schemaVersion(connection: Connection): number {
  const known = connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'");
  if (known === undefined) return 0;
  return (
    connection.get<{ version: number | null }>('SELECT max(version) AS version FROM schema_migrations')?.version ?? 0
  );
}

function refuseNewerSchema(connection: Connection, release: number, setting: FileSetting): void {
  const row = connection.get<{ least: number; version: number }>(
    'SELECT max(least_release) AS least, max(version) AS version FROM schema_migrations',
  );
  if (row !== undefined && row.least > release) {
    throw new SettingsError([
      `${setting}: the file has schema ${row.version}, which needs release ${row.least} of the receiver or newer, and this is release ${release}; start the newer release or restore a backup made before the update`,
    ]);
  }
}

/**
 * To be called before the file is opened to write, which changes it already.
 *
 * @throws SettingsError where it holds tables of another program. One that cannot be read is left to who opens it next
 */
export function refuseForeignFile(file: string, setting: FileSetting, migrations = readMigrations('sqlite')): void {
  if (!existsSync(file) || statSync(file).size === 0) return;
  let isForeign: boolean;
  try {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      isForeign = hasForeignTables(db, migrations);
    } finally {
      db.close();
    }
  } catch {
    return;
  }
  if (isForeign) {
    throw new SettingsError([
      `${setting}: ${file} is a database of another program, with tables that no receiver has made; give another path, where a new file is made`,
    ]);
  }
}

function hasForeignTables(db: DatabaseSync, migrations: readonly Migration[]): boolean {
  const tables = db.prepare(`SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')`).all();
  if (tables.length === 0) return false;
  const columns = db.prepare(`SELECT name FROM pragma_table_info('schema_migrations')`).all();
  if (!['version', 'name', 'least_release'].every((ours) => columns.some(({ name }) => name === ours))) return true;
  const applied = db.prepare('SELECT version, name FROM schema_migrations').all();
  if (applied.length === 0) return tables.length > 1;
  return applied.some(({ version, name }) => migrations.some((ours) => ours.version === version && ours.name !== name));
}
