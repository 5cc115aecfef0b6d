import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../src/audit/new-id.ts';
import { SpillingStore } from '../../src/stores/spill/spilling-store.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { AUDIT_KEY, describeStore, type StoreUnderTest } from './store-contract.ts';
import { refusePoison, tamperSqlite } from './tamper-sqlite.ts';

/** A store that is never away, with a spill beside it for each process: nothing of the contract may change by that. */
async function createSpilling(): Promise<StoreUnderTest> {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-contract-'));
  const file = join(dir, 'receiver.db');
  const opened: SpillingStore[] = [];
  const noMoves = { moveIn: () => Promise.reject(new Error('nothing was to be spilled')) };
  return {
    async open() {
      const sqlite = await SqliteStore.open({ file, writer: newId(), auditKey: AUDIT_KEY, serve: false });
      const store = await SpillingStore.open({
        primary: Object.assign(sqlite, noMoves),
        file: join(dir, `spill-${opened.length}.db`),
        maxBytes: 64 * 1024 * 1024,
        auditKey: AUDIT_KEY,
        times: { commitLimitMs: 20_000 },
      });
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

describeStore('A store with a spill', createSpilling);
