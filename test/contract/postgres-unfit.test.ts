import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { startPooler } from '../support/postgres-pooler.ts';
import { makeAccept, makeBatch } from './make-parts.ts';
import { AUDIT_KEY } from './store-contract.ts';

let database: TestDatabase;
const opened: PostgresStore[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await database.drop();
});

function open(url = database.url, serve = true): PostgresStore {
  const store = PostgresStore.open({ url, location: 'a database of the tests', auditKey: AUDIT_KEY, serve });
  opened.push(store);
  return store;
}

const refusal = (message: string | RegExp) => ({
  name: 'SettingsError',
  message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

const withOptions = (options: string): string => {
  const url = new URL(database.url);
  url.searchParams.set('options', options);
  return url.href;
};

describe("a start on a database that is not the receiver's", () => {
  test.each([
    ['Rails', 'CREATE TABLE schema_migrations (version varchar PRIMARY KEY)', 'schema_migrations'],
    ['golang-migrate', 'CREATE TABLE schema_migrations (version bigint, dirty boolean)', 'schema_migrations'],
    [
      'another with the same columns',
      `CREATE TABLE schema_migrations (version int, name text, least_release int);
      INSERT INTO schema_migrations VALUES (1, '001-users.sql', 1);
      GRANT SELECT ON schema_migrations TO PUBLIC`,
      'schema_migrations',
    ],
    ['a table', 'CREATE TABLE events (id int)', 'events'],
    ['a view', 'CREATE VIEW handlers AS SELECT 1 AS x', 'handlers'],
  ])('of %s is refused, and nothing is made there', async (_, sql, table) => {
    await database.query(sql);
    await expect(open().connected()).rejects.toMatchObject(refusal(`the database belongs to another program: it has`));
    await expect(open().connected()).rejects.toMatchObject(refusal(table));
    const made = await database.query(`SELECT 1 FROM pg_class WHERE relname = 'delivery_counts'`);
    expect(made).toEqual([]);
  });

  test('is no fault beside tables of other names', async () => {
    await database.query('CREATE TABLE users (id int)');
    await open().connected();
  });

  test('whose text is not UTF-8 is refused', async () => {
    await database.query(
      `CREATE DATABASE ${'latin_test'} OWNER receiver ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
    );
    try {
      const url = new URL(database.url);
      url.pathname = '/latin_test';
      await expect(open(url.href).connected()).rejects.toMatchObject(refusal('has the encoding LATIN1'));
    } finally {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      await database.query('DROP DATABASE latin_test WITH (FORCE)');
    }
  });

  test('whose search_path leads nowhere is refused', async () => {
    await expect(open(withOptions('-c search_path=nowhere')).connected()).rejects.toMatchObject(
      refusal('the search_path leads to no schema'),
    );
  });

  test('whose search_path was changed is refused; one that DATABASE_URL names is not', async () => {
    await database.query('CREATE SCHEMA hooks AUTHORIZATION receiver');
    await open(withOptions('-c search_path=hooks')).connected();
    await expect(open().connected()).rejects.toMatchObject(refusal(`a receiver's tables lie in hooks`));
    await open(withOptions('-c search_path=public')).connected();
  });

  test('where the user may make no tables is refused', async () => {
    await database.query('REVOKE ALL ON SCHEMA public FROM PUBLIC, pg_database_owner');
    await expect(open().connected()).rejects.toMatchObject({ name: 'SettingsError' });
  });
});

describe('a server that cannot be used', () => {
  test.each([
    ['a user that is not there', (url: URL) => (url.username = 'nobody')],
    ['no password', (url: URL) => (url.password = '')],
    ['a wrong password', (url: URL) => (url.password = 'wrong')],
    ['a database that is not there', (url: URL) => (url.pathname = '/nothing')],
    ['TLS where the server has none', (url: URL) => url.searchParams.set('sslmode', 'verify-full')],
  ])('for %s ends the start', async (_, change) => {
    const url = new URL(database.url);
    change(url);
    await expect(open(url.href).connected()).rejects.toMatchObject(refusal(/^DATABASE_URL: .*; check|turn TLS on/));
  });

  test.each([1, 2, 4])('because a pooler of %i in transaction mode stands before it ends the start', async (size) => {
    const pooler = await startPooler(database.url, size);
    try {
      const fault = await open(pooler.url)
        .connected()
        .catch((error: unknown) => error);
      expect(String(fault)).toContain('transaction mode');
    } finally {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      await pooler.close();
    }
  });

  test('because another program answers ends the start', async () => {
    const server: Server = createServer((socket) => socket.end('J\0\0\0\n8.0.11 MySQL'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(database.url);
    const address = server.address();
    url.port = String(typeof address === 'object' ? address?.port : '');
    try {
      await expect(open(url.href).connected())
        .rejects.toMatchObject(refusal('another program'))
        .catch(() => undefined);
      const fault = await open(url.href)
        .connected()
        .catch((error: unknown) => error);
      expect(fault).toMatchObject({ name: 'SettingsError' });
    } finally {
      server.close();
    }
  });

  test('later is told from an outage, and works again once it is set right', async () => {
    const store = open();
    await store.connected();
    await database.query('ALTER TABLE events OWNER TO postgres');
    const commit = () => store.commit(makeBatch({ accepts: [makeAccept()] }));
    const fault = await commit().catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(StoreUnavailable);
    expect(fault).toMatchObject({ lasting: { what: 'the user may not do in PostgreSQL what the receiver needs' } });
    await database.query('ALTER TABLE events OWNER TO receiver');
    expect((await commit()).accepted).toMatchObject([{ status: 'accepted' }]);
  });
});
