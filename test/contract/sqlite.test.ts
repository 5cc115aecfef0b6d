import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { v7 as uuidv7 } from 'uuid';
import type { Store } from '../../src/inbox/store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { AUDIT_KEY, describeStore, type StoreUnderTest } from './store-contract.ts';

const TAMPERINGS = {
  metadata: `UPDATE audit_entries SET metadata = '{"n":2}' WHERE seq > 1`,
  'delete-entry': 'DELETE FROM audit_entries WHERE seq = 2',
  // Commands show entries by position, which no hash covers.
  reorder: 'UPDATE audit_entries SET position = 1000 - position',
  hide: 'UPDATE audit_entries SET position = -position WHERE seq = 2',
};

async function createSqlite(): Promise<StoreUnderTest> {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-contract-'));
  const file = join(dir, 'receiver.db');
  const opened: Store[] = [];
  return {
    async open() {
      const store = await SqliteStore.open({ file, writer: uuidv7(), auditKey: AUDIT_KEY, serve: false });
      opened.push(store);
      return store;
    },
    tamper(change) {
      const db = new DatabaseSync(file);
      db.exec(TAMPERINGS[change]);
      db.close();
    },
    async remove() {
      await Promise.all(opened.map((store) => store.close()));
      rmSync(dir, { recursive: true });
    },
  };
}

describeStore('SQLite', createSqlite);
