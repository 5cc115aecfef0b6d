import { closeSync, fsyncSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newId } from '../../src/audit/new-id.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { guardFolder } from '../../test/support/guard-folder.ts';
import { AUDIT_KEY } from '../audit-key.ts';
import { explainSqlite } from './explain-sqlite.ts';
import { GROWING_TABLES, type Ground, type GrownStore } from './grown-store.ts';
import { HANDLERS, LEAD_STRIDE, LEADS, PRINCIPAL, RETENTION_MS, spanOf, WRITER } from './history.ts';

/** Nobody needs what a build leaves half done. */
const FAST = `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -500000`;

const NUMBERS =
  'WITH RECURSIVE n (i, at) AS (SELECT 1, :start UNION ALL SELECT i + 1, CAST(:start + i * :step AS INTEGER) FROM n WHERE i < :size)';
const LEAD = `'lead-' || (i * ${LEAD_STRIDE} % ${LEADS}) || '@bench.example'`;
const RANDOM_12_BITS = '(random() & 4095)';

const FILL = [
  `${NUMBERS} INSERT INTO events (seq, id, received_at, type, raw_type, occurred_at, lead, principal, source, bytes, body)
    SELECT i, printf('%08x-%04x-7%03x-8%03x-%012x', at >> 16, at & 65535, ${RANDOM_12_BITS}, ${RANDOM_12_BITS}, random() & 281474976710655),
        at, 'email_sent', 'email_sent', at - 1000, lead, '${PRINCIPAL}', 'webhook', length(body), body
      FROM (SELECT i, at, ${LEAD} AS lead, CAST('{"event_type":"email_sent","email_id":' || i || '}' AS BLOB) AS body FROM n)`,
  `${NUMBERS} INSERT INTO dedup_keys (occurred_at, key, event_seq, valid_until)
    SELECT at - 1000, randomblob(32), i, at + ${RETENTION_MS} FROM n`,
  `${NUMBERS} INSERT INTO deliveries (event_seq, handler, state, attempts, order_key, created_at, updated_at)
    SELECT i, h.value, 'done', 1, ${LEAD}, at, at + 20 FROM n CROSS JOIN json_each('${JSON.stringify(HANDLERS)}') h`,
  `${NUMBERS} INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
    SELECT :chain, i, printf('%08x-%04x-7000-8000-%012x', at >> 16, at & 65535, i), strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'),
        'webhook.receive', '${PRINCIPAL}', 'webhook', 'success', '{"status":200,"eventType":"email_sent"}', zeroblob(32), zeroblob(32)
      FROM n`,
];

/** Stores in files that are made in a folder of their own. */
export function openSqliteGround(): Ground {
  const folder = guardFolder('receiver-bench-sqlite-');
  const stores: SqliteStore[] = [];
  return {
    kind: 'sqlite',
    async grow(size): Promise<GrownStore> {
      const began = performance.now();
      const options = { file: join(folder.path, `${size}.db`), writer: newId(), auditKey: AUDIT_KEY };
      await makeSqliteFile(options.file, size);
      const made = { seconds: (performance.now() - began) / 1_000, bytes: statSync(options.file).size };
      const store = await SqliteStore.open({ ...options, serve: true });
      stores.push(store);
      const explain = async () => {
        await store.close();
        return explainSqlite(options.file);
      };
      return { size, store, maxInFlight: 1, made, settle: () => Promise.resolve(), explain };
    },
    async remove() {
      for (const store of stores) await store.close();
      await folder.remove();
    },
  };
}

/** A store with so many events in it. */
export async function makeSqliteFile(file: string, size: number): Promise<void> {
  // Makes the schema.
  await (await SqliteStore.open({ file, writer: newId(), auditKey: AUDIT_KEY, serve: false })).close();
  if (size > 0) fill(file, size);
}

/** The receiver runs neither ANALYZE nor VACUUM, so neither does this. */
function fill(file: string, size: number): void {
  const db = new DatabaseSync(file);
  try {
    db.exec(FAST);
    const indexes = db
      .prepare(
        `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
          AND tbl_name IN (${GROWING_TABLES.map((table) => `'${table}'`).join(', ')})`,
      )
      .all();
    for (const { name } of indexes) db.exec(`DROP INDEX ${name}`);
    const { start, step } = spanOf(size);
    const { lastInsertRowid: chain } = db
      .prepare('INSERT INTO audit_chains (writer, seq, hash) VALUES (?, ?, zeroblob(32))')
      .run(WRITER, size);
    for (const sql of FILL) {
      const statement = db.prepare(sql);
      statement.setAllowUnknownNamedParameters(true);
      statement.run({ start, step, size, chain });
    }
    for (const { sql } of indexes) db.exec(String(sql));
    db.prepare(`UPDATE delivery_counts SET n = ? WHERE state = 'done'`).run(size * HANDLERS.length);
    db.exec('PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL');
  } finally {
    db.close();
  }
  // So that no window pays for the build.
  const descriptor = openSync(file, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
