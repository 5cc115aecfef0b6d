import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/audit/new-id.ts';
import { readMigrations } from '../../src/stores/read-migrations.ts';
import { Connection } from '../../src/stores/sqlite/connection.ts';
import { migrate, RELEASE } from '../../src/stores/sqlite/migrate.ts';
import { holdServiceLock } from '../../src/stores/sqlite/service-lock.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';

let dir: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'receiver-start-'));
  file = join(dir, 'receiver.db');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A file as the release before this one leaves it, changed by `sql`. */
function makeOlder(sql = ''): void {
  const connection = new Connection(file);
  migrate(connection, {
    migrations: readMigrations('sqlite').filter(({ version }) => version < RELEASE),
    release: RELEASE - 1,
  });
  connection.db.exec(sql);
  connection.close();
}

const open = (serve: boolean, onUpgrade?: () => void): Promise<SqliteStore> =>
  SqliteStore.open(
    { file, writer: newId(), auditKey: 'a key for the tests of the start', serve },
    onUpgrade && { onUpgrade },
  );

/** As loading the rest of the service keeps it busy: what the other thread has said meanwhile comes all at once. */
function keepBusy(): void {
  const until = Date.now() + 700;
  while (Date.now() < until);
}

describe('a store that is opened', () => {
  test('tells once that it is being brought up to this release, and a new one or one that is up to it does not', async () => {
    let told = 0;
    const onUpgrade = (): void => {
      told += 1;
    };
    makeOlder();
    await (await open(true, onUpgrade)).close();
    expect(told).toBe(1);
    await (await open(true, onUpgrade)).close();
    rmSync(file);
    await (await open(true, onUpgrade)).close();
    expect(told).toBe(1);
  });

  test('says why it could not be brought up, however busy the thread that hears it', async () => {
    makeOlder('ALTER TABLE events ADD COLUMN charset TEXT;');
    const opening = open(true);
    keepBusy();
    await expect(opening).rejects.toThrow(/^DATABASE_URL: cannot open .*duplicate column name: charset/);
  });

  test('says which release a newer one needs, however busy the thread that hears it', async () => {
    await (await open(true)).close();
    const connection = new Connection(file);
    connection.run('INSERT INTO schema_migrations VALUES (?1, ?2, ?1, 0)', RELEASE + 1, 'of the next');
    connection.close();
    const opening = open(true);
    keepBusy();
    await expect(opening).rejects.toThrow(new RegExp(`needs release ${RELEASE + 1} `));
  });

  test('is not brought up by a command while a receiver has it open, and is once it has not', async () => {
    makeOlder();
    const lock = holdServiceLock(file, 'DATABASE_URL');
    await expect(open(false)).rejects.toThrow(
      `DATABASE_URL: ${file} is of an earlier release and is in use; restart the receiver that has it open with this release, which brings the file up to it, or wait where that is under way`,
    );
    lock.release();
    const store = await open(false);
    // It keeps no receiver from starting.
    holdServiceLock(file, 'DATABASE_URL', { waitMs: 0 }).release();
    await store.close();
  });

  test.each([
    ['tables of other names', 'CREATE TABLE users (id INTEGER)'],
    ['a table named events', 'CREATE TABLE events (id INTEGER)'],
    ['the migrations of Rails', 'CREATE TABLE schema_migrations (version TEXT PRIMARY KEY)'],
    [
      'migrations that look like ours',
      `CREATE TABLE schema_migrations (version INTEGER, name TEXT, least_release INTEGER);
        INSERT INTO schema_migrations VALUES (1, '001-users.sql', 1)`,
    ],
  ])('is left as it is where it has %s', async (_, sql) => {
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
    const before = readFileSync(file);
    await expect(open(true)).rejects.toThrow(`DATABASE_URL: ${file} is a database of another program`);
    await expect(open(false)).rejects.toThrow('is a database of another program');
    expect(readFileSync(file)).toEqual(before);
  });

  test.each([
    ['a folder', () => mkdirSync(`${file}.lock`)],
    ['no database', () => writeFileSync(`${file}.lock`, 'words, and no database at all'.repeat(50))],
  ])('names its lock where that is %s, and not itself', async (_, make) => {
    make();
    await expect(open(true)).rejects.toThrow(new RegExp(`^DATABASE_URL: cannot use ${file}\\.lock, .*; remove it`));
  });

  test('names its lock where another user made it', async () => {
    writeFileSync(`${file}.lock`, '');
    chmodSync(`${file}.lock`, 0o400);
    const opening = open(true);
    // Rights do not bind the superuser.
    if (process.getuid?.() === 0) await (await opening).close();
    else await expect(opening).rejects.toThrow(`cannot use ${file}.lock`);
  });
});
