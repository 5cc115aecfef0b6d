import type { StoredDocument } from '../../inbox/store.ts';
import type { Connection } from './connection.ts';

interface DocumentRow {
  readonly name: string;
  readonly text: string;
  readonly version: number;
  readonly written_at: number;
}

const COLUMNS = 'name, text, version, written_at';

const INSERT = 'INSERT INTO documents (name, text, version, written_at) VALUES (?, ?, 1, ?) ON CONFLICT (name) DO';
const CREATE = `${INSERT} NOTHING`;
const OVERWRITE = `${INSERT} UPDATE SET text = excluded.text, version = version + 1, written_at = excluded.written_at`;
const REPLACE = 'UPDATE documents SET text = ?, version = version + 1, written_at = ? WHERE name = ? AND version = ?';

export function readDocument(connection: Connection, name: string): StoredDocument | undefined {
  const row = connection.get<DocumentRow>(`SELECT ${COLUMNS} FROM documents WHERE name = ?`, name);
  return row && toDocument(row);
}

/** In order of the bytes of their names, which is SQLite's own. */
export function listDocuments(connection: Connection, prefix: string, limit: number): StoredDocument[] {
  const rows = connection.all<DocumentRow>(
    `SELECT ${COLUMNS} FROM documents WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT ?2`,
    prefix,
    limit,
  );
  return rows.map(toDocument);
}

/** @param version see Store.writeDocument */
export function writeDocument(connection: Connection, name: string, text: string, version: number | null): boolean {
  return connection.transaction(() => {
    const now = Date.now();
    if (version === null) return connection.run(OVERWRITE, name, text, now).changes === 1;
    if (version === 0) return connection.run(CREATE, name, text, now).changes === 1;
    return connection.run(REPLACE, text, now, name, version).changes === 1;
  });
}

export function dropDocument(connection: Connection, name: string): void {
  connection.transaction(() => connection.run('DELETE FROM documents WHERE name = ?', name));
}

/** All processes with this file have one clock, which may have been set back since. */
function toDocument({ name, text, version, written_at: writtenAt }: DocumentRow): StoredDocument {
  return { name, text, version, ageMs: Math.max(0, Date.now() - writtenAt) };
}
