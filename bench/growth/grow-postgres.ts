import pg from 'pg';
import { COMMIT_LANES, PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts';
import { addressOf } from '../../test/support/postgres-broker.ts';
import { PostgresServer } from '../../test/support/postgres-server.ts';
import { AUDIT_KEY } from '../audit-key.ts';
import { explainPostgres } from './explain-postgres.ts';
import { GROWING_TABLES, type Ground, type GrownStore } from './grown-store.ts';
import { HANDLERS, LEAD_STRIDE, LEADS, PRINCIPAL, RETENTION_MS, spanOf, WRITER } from './history.ts';

const LEAD = `'lead-' || (i * ${LEAD_STRIDE} % ${LEADS}) || '@bench.example'`;
/** $1: how many, $2: time of the first, $3: milliseconds between two. */
const NUMBERS = `(SELECT i, ($2::float8 + (i - 1) * $3::float8)::bigint AS at, md5(i::text) AS random FROM generate_series(1, $1::bigint) AS i) AS n`;
const ID = `(lpad(to_hex(at), 12, '0') || '7' || substr(random, 1, 3) || '8' || substr(random, 4, 15))::uuid`;

const FILL = [
  `INSERT INTO events (seq, id, received_at, type, raw_type, occurred_at, lead, principal, source, dedup_key, bytes, body)
    OVERRIDING SYSTEM VALUE
    SELECT i, ${ID}, at, 'email_sent', 'email_sent', at - 1000, ${LEAD}, '${PRINCIPAL}', 'webhook', sha256(int8send(i)),
        octet_length(body), convert_to(body, 'UTF8')
      FROM ${NUMBERS}, LATERAL (SELECT '{"event_type":"email_sent","email_id":' || i || '}' AS body) AS b`,
  `INSERT INTO dedup_keys (occurred_at, key, event_id, seen_at, valid_until)
    SELECT at - 1000, sha256(int8send(i)), ${ID}, at, at + ${RETENTION_MS} FROM ${NUMBERS}`,
  `INSERT INTO deliveries (event_seq, handler, state, attempts, order_key, created_at, updated_at)
    SELECT i, h, 'done', 1, hashtextextended(${LEAD}, 0), at, at + 20
      FROM ${NUMBERS} CROSS JOIN unnest(ARRAY['${HANDLERS.join("', '")}']) AS h`,
  `INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
    SELECT c.chain, i, ${ID}::text, to_char(to_timestamp(at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'webhook.receive', '${PRINCIPAL}', 'webhook', 'success', '{"status":200,"eventType":"email_sent"}',
        sha256(int8send(i - 1)), sha256(int8send(i))
      FROM ${NUMBERS}, audit_chains c WHERE c.writer = '${WRITER}'`,
];

const INDEXES = `SELECT c.conrelid::regclass::text AS "table", c.conname AS name, pg_get_constraintdef(c.oid) AS definition, true AS is_constraint
    FROM pg_constraint c WHERE c.contype IN ('p', 'u') AND c.conrelid = ANY ($1::regclass[])
  UNION ALL
  SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), false
    FROM pg_index i WHERE i.indrelid = ANY ($1::regclass[])
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)`;

const VACUUM = `VACUUM (ANALYZE) ${GROWING_TABLES.join(', ')}`;

interface Index {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
  readonly is_constraint: boolean;
}

/** Databases on a server of their own, which syncs its disk and has PostgreSQL's defaults. */
export async function openPostgresGround(): Promise<Ground> {
  const server = await PostgresServer.start({ durable: true });
  const stores: PostgresStore[] = [];
  return {
    kind: 'postgres',
    async grow(size): Promise<GrownStore> {
      const began = performance.now();
      const database = await createTestDatabase(addressOf(server));
      const { url } = database;
      const store = PostgresStore.open({ url, location: `${size} events`, auditKey: AUDIT_KEY, serve: true });
      stores.push(store);
      // Makes the schema.
      await store.connected();
      await fill(database, size);
      const [row] = await database.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
      const made = { seconds: (performance.now() - began) / 1_000, bytes: Number(row?.bytes) };
      // It comes by itself too, whenever it likes. After it the server takes the queue, which is empty now, for one that always is.
      const settle = async () => {
        await database.query(VACUUM);
      };
      const explain = async () => {
        await database.close();
        await store.close();
        return explainPostgres(url);
      };
      return { size, store, maxInFlight: COMMIT_LANES, made, settle, explain };
    },
    async remove() {
      await Promise.all(stores.map((store) => store.close()));
      await server.remove();
    },
  };
}

/** Without indexes, which are made anew behind it; then as autovacuum leaves a database that has grown over weeks. */
async function fill({ url, query }: TestDatabase, size: number): Promise<void> {
  // As the role that owns the tables, whose vacuum and indexes they are in life too.
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    if (size > 0) {
      await client.query(`SET maintenance_work_mem = '512MB'`);
      const tables = GROWING_TABLES.map(String);
      const { rows: indexes } = await client.query<Index>(INDEXES, [tables]);
      for (const index of indexes) await client.query(dropOf(index));
      await client.query('INSERT INTO audit_chains (writer, seq, hash) VALUES ($1, $2, sha256(int8send($2)))', [
        WRITER,
        size,
      ]);
      const { start, step } = spanOf(size);
      for (const text of FILL) await client.query(text, [size, start, step]);
      for (const index of indexes) await client.query(makeOf(index));
      await client.query(`SELECT setval(pg_get_serial_sequence('events', 'seq'), $1)`, [size]);
      await client.query(`UPDATE delivery_counts SET n = $1 WHERE shard = 0 AND state = 'done'`, [
        size * HANDLERS.length,
      ]);
    }
    await client.query(VACUUM);
  } finally {
    await client.end();
  }
  // So that no window pays for the build.
  await query('CHECKPOINT');
}

const dropOf = ({ table, name, is_constraint: isConstraint }: Index): string =>
  isConstraint ? `ALTER TABLE ${table} DROP CONSTRAINT ${name}` : `DROP INDEX ${name}`;

const makeOf = ({ table, name, definition, is_constraint: isConstraint }: Index): string =>
  isConstraint ? `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}` : definition;
