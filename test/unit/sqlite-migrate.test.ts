import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readMigrations } from '../../src/stores/read-migrations.ts';
import { Connection } from '../../src/stores/sqlite/connection.ts';
import { migrate, RELEASE } from '../../src/stores/sqlite/migrate.ts';
import { listEvents } from '../../src/stores/sqlite/read-events.ts';

let dir: string;
let connection: Connection;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "receiver's-migrate-"));
  connection = new Connection(join(dir, 'receiver.db'));
});
afterEach(() => {
  connection.close();
  rmSync(dir, { recursive: true });
});

const ours = readMigrations('sqlite');
const next = {
  version: RELEASE + 1,
  name: '900-more.sql',
  leastRelease: RELEASE,
  sql: 'CREATE TABLE more (x TEXT) STRICT;',
};
const applied = () => connection.all('SELECT version, least_release FROM schema_migrations ORDER BY version');

describe('migrations', () => {
  test('are numbered without a gap up to this release', () => {
    expect(ours.map(({ version }) => version)).toEqual(Array.from({ length: RELEASE }, (_, index) => index + 1));
  });

  test('are applied once, whoever comes again', () => {
    migrate(connection);
    migrate(connection);
    const other = new Connection(join(dir, 'receiver.db'));
    migrate(other);
    other.close();
    expect(applied()).toHaveLength(ours.length);
  });

  test('of one release more leave this one able to run, so that an update can be undone', () => {
    migrate(connection, { migrations: [...ours, next], release: RELEASE + 1 });
    expect(() => migrate(connection)).not.toThrow();
  });

  test('that bear only a newer release refuse this one, with what to do', () => {
    migrate(connection, {
      migrations: [...ours, { ...next, leastRelease: RELEASE + 1, sql: '' }],
      release: RELEASE + 1,
    });
    expect(() => migrate(connection)).toThrow(
      new RegExp(`schema ${RELEASE + 1}, which needs release ${RELEASE + 1} .* this is release ${RELEASE}`),
    );
    expect(applied()).toHaveLength(ours.length + 1);
  });

  test('that fail leave nothing of themselves behind', () => {
    const broken = { ...next, sql: 'CREATE TABLE half (x TEXT) STRICT; CREATE TABLE half (x TEXT) STRICT;' };
    expect(() => migrate(connection, { migrations: [...ours, broken] })).toThrow();
    expect(connection.all("SELECT name FROM sqlite_schema WHERE name IN ('half', 'events')")).toEqual([]);
    migrate(connection);
    expect(applied()).toHaveLength(ours.length);
  });

  test('find the leads of events that an earlier release has stored', () => {
    const third = ours.filter(({ version }) => version <= 3);
    migrate(connection, { migrations: third, release: 3 });
    for (const seq of [1, 1_023, 1_024, 5_000])
      connection.run(
        `INSERT INTO events (seq, id, received_at, type, lead, principal, source, bytes, body)
          VALUES (?, printf('id %d', ?1), 1, 'email_sent', 'a@b.example', 'p', 'webhook', 2, x'7b7d')`,
        seq,
      );
    let told = 0;
    const onUpgrade = (): void => {
      told += 1;
    };
    migrate(connection, { onUpgrade });
    migrate(connection, { onUpgrade });
    expect(told).toBe(1);
    const found = listEvents(connection, { limit: 10, lead: 'a@b.example' });
    expect(found.map(({ id }) => id)).toEqual(['id 5000', 'id 1024', 'id 1023', 'id 1']);
  });

  test('sort beside the file, since memory may not hold what millions of events take', () => {
    const [FILE, MEMORY] = [1, 2];
    const places = () => ['temp_store', 'temp_store_directory'].map((name) => connection.get(`PRAGMA ${name}`));
    const sql = 'CREATE TABLE seen AS SELECT * FROM pragma_temp_store;';
    migrate(connection, { migrations: [...ours, { ...next, sql }], release: RELEASE + 1 });
    expect(connection.get('SELECT * FROM seen')).toEqual({ temp_store: FILE });
    connection.sortingOnDisk(() => {
      expect(places()).toEqual([{ temp_store: FILE }, { temp_store_directory: realpathSync(dir) }]);
    });
    expect(places()).toEqual([{ temp_store: MEMORY }, undefined]);
  });

  test('must say the least release they bear', () => {
    writeFileSync(join(dir, '001-silent.sql'), 'CREATE TABLE x (y TEXT) STRICT;\n');
    expect(() => readMigrations('sqlite', pathToFileURL(`${dir}/`))).toThrow(/least release/);
  });
});
