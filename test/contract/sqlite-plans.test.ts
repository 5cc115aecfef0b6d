import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SQLInputValue } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { packKeys } from '../../src/stores/dedup-keys.ts';
import { Connection, type Row } from '../../src/stores/sqlite/connection.ts';
import { listDocuments } from '../../src/stores/sqlite/documents.ts';
import { findByKeys } from '../../src/stores/sqlite/find-by-keys.ts';
import { migrate } from '../../src/stores/sqlite/migrate.ts';
import { listEvents } from '../../src/stores/sqlite/read-events.ts';

/** Keeps what SQLite says it would do for each list. */
class ExplainingConnection extends Connection {
  readonly steps: string[] = [];

  override all<T = Row>(sql: string, ...values: SQLInputValue[]): T[] {
    const steps = super.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    this.steps.push(...steps.map(({ detail }) => detail));
    return super.all<T>(sql, ...values);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'receiver-plans-'));
let connection: ExplainingConnection;

beforeAll(() => {
  connection = new ExplainingConnection(join(folder, 'receiver.db'));
  migrate(connection);
});
beforeEach(() => {
  connection.steps.length = 0;
});
afterAll(() => {
  connection.close();
  rmSync(folder, { recursive: true });
});

describe('looks up by an index', () => {
  test('each key, of which there may be a thousand', () => {
    const key = { timestamp: 1, dedupKey: new Uint8Array(32) };
    findByKeys(connection, packKeys(Array.from({ length: 1_000 }, () => key)), 0);
    expect(connection.steps).toEqual([
      expect.stringMatching(/^SCAN i VIRTUAL TABLE/),
      'SEARCH k USING PRIMARY KEY (occurred_at=? AND key=?)',
      'SEARCH e USING INTEGER PRIMARY KEY (rowid=?)',
    ]);
  });

  test('a lead, in each block of events, of which none is read otherwise', () => {
    listEvents(connection, { limit: 10, lead: 'a@b.example' });
    expect(connection.steps).toContain('SEARCH x USING COVERING INDEX events_by_block (<expr>=? AND lead=?)');
    expect(connection.steps).toContain('SEARCH e USING INTEGER PRIMARY KEY (rowid=?)');
    expect(connection.steps.filter((step) => step.startsWith('SCAN'))).toEqual(['SCAN blocks', 'SCAN blocks']);
  });

  test('where a list of documents begins, and needs not sort it', () => {
    listDocuments(connection, 'token:', 10);
    expect(connection.steps).toEqual(['SEARCH documents USING INDEX sqlite_autoindex_documents_1 (name>?)']);
  });
});
