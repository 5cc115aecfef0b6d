import type pg from 'pg';
import { SettingsError } from '../../errors/problem.ts';
import type { Migration } from '../read-migrations.ts';

/** How a receiver is kept apart from what else is in a database. */
const APART =
  'give the receiver a database of its own, or a schema of its own that exists (?options=-c%20search_path%3DSCHEMA in DATABASE_URL)';

interface Place {
  readonly encoding: string;
  readonly schema: string | null;
  /** Whether DATABASE_URL itself says where tables lie. */
  readonly chosen: boolean;
  /** Relations with the names of ours that the search_path leads to. */
  readonly tables: readonly string[] | null;
}

interface Applied {
  readonly version: number;
  readonly name: string;
}

/**
 * Looks, before anything is made there, whether the database can be the receiver's.
 *
 * @throws SettingsError where it is another program's, cannot hold every text, or keeps the tables out of reach
 */
export async function refuseUnfit(client: pg.Client, migrations: readonly Migration[]): Promise<void> {
  // In this order: whichever other receiver is making the tables meanwhile writes down that it has with them.
  const { encoding, schema, chosen, tables } = await readPlace(client, migrations);
  if (encoding !== 'UTF8') {
    throw fault(
      `the database has the encoding ${encoding}, which cannot hold every text that Instantly sends; create one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0, and move what is in this one there with pg_dump and pg_restore`,
    );
  }
  const columns = await readColumns(client);
  if (columns.length === 0) {
    if (tables !== null && tables.length > 0) throw foreign(`tables named ${tables.join(', ')}`);
    if (schema === null)
      throw fault(`the search_path leads to no schema; create the schema that it names, or ${APART}`);
    if (!chosen) await refuseElsewhere(client, schema);
    return;
  }
  if (!['version', 'name', 'least_release'].every((name) => columns.includes(name)))
    throw foreign('a table named schema_migrations');
  const applied = (await client.query<Applied>('SELECT version, name FROM schema_migrations')).rows;
  const other = applied.find(({ version, name }) =>
    migrations.some((ours) => ours.version === version && ours.name !== name),
  );
  if (other !== undefined) throw foreign('a table named schema_migrations');
  if (applied.length === 0 && tables !== null && tables.length > 0) throw foreign(`tables named ${tables.join(', ')}`);
}

async function readPlace(client: pg.Client, migrations: readonly Migration[]): Promise<Place> {
  const names = migrations.flatMap(({ sql }) => [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name]) => name));
  const { rows } = await client.query<Place>(
    `SELECT current_setting('server_encoding') AS encoding, current_schema()::text AS schema,
      EXISTS (SELECT FROM pg_settings WHERE name = 'search_path' AND source = 'client') AS chosen,
      (SELECT array_agg(name ORDER BY name) FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL) AS tables`,
    [names],
  );
  const [place] = rows;
  if (place === undefined) throw new Error('PostgreSQL gave no row');
  return place;
}

/** None: there is no such table. */
async function readColumns(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname::text AS name FROM pg_attribute
      WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped`,
  );
  return rows.map(({ name }) => name);
}

/** A search_path that was changed would have a receiver begin anew, beside all that it has. */
async function refuseElsewhere(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname::text AS name FROM pg_namespace n
      WHERE (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r'
        AND c.relname IN ('schema_migrations', 'delivery_counts', 'audit_chains', 'dedup_keys')) = 4`,
  );
  const [other] = rows;
  if (other === undefined) return;
  throw fault(
    `the search_path leads to the schema ${schema}, and a receiver's tables lie in ${other.name}; add ?options=-c%20search_path%3D${encodeURIComponent(other.name)} to DATABASE_URL to go on with them, or -c%20search_path%3D${encodeURIComponent(schema)} to begin anew beside them`,
  );
}

function foreign(what: string): SettingsError {
  return fault(`the database belongs to another program: it has ${what}, made by no receiver; ${APART}`);
}

function fault(text: string): SettingsError {
  return new SettingsError([`DATABASE_URL: ${text}`]);
}
