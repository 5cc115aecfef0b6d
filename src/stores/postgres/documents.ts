import type { StoredDocument } from '../../inbox/store.ts';
import type { Runner, Statement } from './transaction.ts';

/** Epoch milliseconds by the server's clock, which is the only one that all processes share. It may have been set back. */
const NOW = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
const COLUMNS = `name, text, version, greatest(0, ${NOW} - written_at) AS "ageMs"`;

const READ: Statement = { name: 'read-document', text: `SELECT ${COLUMNS} FROM documents WHERE name = $1` };

/** Names are in order of their bytes, by the column's collation. */
const LIST: Statement = {
  name: 'list-documents',
  text: `SELECT ${COLUMNS} FROM documents WHERE name >= $1 AND starts_with(name, $1) ORDER BY name LIMIT $2::bigint`,
};

const INSERT = `INSERT INTO documents AS d (name, text, version, written_at) VALUES ($1, $2, 1, ${NOW}) ON CONFLICT (name) DO`;

/** Each waits for whoever is writing the same name, and then looks again at what stands there. */
const CREATE: Statement = { name: 'create-document', text: `${INSERT} NOTHING RETURNING 1` };
const OVERWRITE: Statement = {
  name: 'overwrite-document',
  text: `${INSERT} UPDATE SET text = excluded.text, version = d.version + 1, written_at = ${NOW} RETURNING 1`,
};
const REPLACE: Statement = {
  name: 'replace-document',
  text: `UPDATE documents SET text = $2, version = version + 1, written_at = ${NOW} WHERE name = $1 AND version = $3
    RETURNING 1`,
};

const DROP: Statement = { name: 'drop-document', text: 'DELETE FROM documents WHERE name = $1' };

export async function readDocument(runner: Runner, name: string): Promise<StoredDocument | undefined> {
  return (await runner.all<StoredDocument>(READ, name))[0];
}

export function listDocuments(runner: Runner, prefix: string, limit: number): Promise<StoredDocument[]> {
  return runner.all<StoredDocument>(LIST, prefix, limit);
}

/** @param version see Store.writeDocument */
export async function writeDocument(
  runner: Runner,
  name: string,
  text: string,
  version: number | null,
): Promise<boolean> {
  if (version === null) return (await runner.all(OVERWRITE, name, text)).length > 0;
  if (version === 0) return (await runner.all(CREATE, name, text)).length > 0;
  return (await runner.all(REPLACE, name, text, version)).length > 0;
}

export async function dropDocument(runner: Runner, name: string): Promise<void> {
  await runner.all(DROP, name);
}
