import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { Store } from '../../src/inbox/store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { AUDIT_KEY, describeStore, type StoreUnderTest } from './store-contract.ts';
import { refusePoison, tamperSqlite } from './tamper-sqlite.ts';

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
    tamper: (change) => tamperSqlite(file, change),
    refusePoison: () => refusePoison(file),
    async remove() {
      await Promise.all(opened.map((store) => store.close()));
      rmSync(dir, { recursive: true });
    },
  };
}

describeStore('SQLite', createSqlite);
