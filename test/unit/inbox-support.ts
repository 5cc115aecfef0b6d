import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { v7 as uuidv7 } from 'uuid';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';

export interface TestStore {
  readonly store: SqliteStore;
  readonly dir: string;
  /** From now on no commit succeeds, as if another process held the file. */
  lock(): void;
  unlock(): void;
  remove(): Promise<void>;
}

export async function createTestStore(): Promise<TestStore> {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-inbox-'));
  const file = join(dir, 'receiver.db');
  const store = await SqliteStore.open({
    file,
    writer: uuidv7(),
    auditKey: 'a key for the tests of the inbox',
    serve: false,
  });
  const other = new DatabaseSync(file);
  return {
    store,
    dir,
    lock: () => other.exec('BEGIN IMMEDIATE'),
    unlock: () => other.exec('ROLLBACK'),
    async remove() {
      other.close();
      await store.close();
      rmSync(dir, { recursive: true });
    },
  };
}
