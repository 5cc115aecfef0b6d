import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { newId } from '../../src/audit/new-id.ts';
import type { Tampering } from '../../src/audit/tampering.ts';
import { openSpill } from '../../src/stores/spill/open-spill.ts';
import { rowsOf } from '../../src/stores/spill/parcel.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { type AuditUnderTest, describeAudit } from './audit-contract.ts';
import { makeAccept, makeBatch, makeDraft } from './make-parts.ts';
import { AUDIT_KEY } from './store-contract.ts';
import { executeSqlite } from './tamper-sqlite.ts';

interface SqliteRig extends AuditUnderTest {
  readonly dir: string;
  open(name?: string): Promise<SqliteStore>;
}

function createSqlite(): SqliteRig {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-audit-'));
  const file = join(dir, 'receiver.db');
  const opened: SqliteStore[] = [];
  const open = async (name = 'receiver.db'): Promise<SqliteStore> => {
    const options = { file: join(dir, name), writer: newId(), auditKey: AUDIT_KEY, serve: false };
    const store = await SqliteStore.open(options);
    opened.push(store);
    return store;
  };
  return {
    dir,
    open,
    async start() {
      const store = await open();
      await store.checkLog();
      return store;
    },
    execute: (sql) => executeSqlite(file, sql),
    async remove() {
      await Promise.all(opened.map((store) => store.close()));
      rmSync(dir, { recursive: true });
    },
  };
}

let onEnd = async (): Promise<void> => undefined;

afterEach(async () => {
  await onEnd();
  onEnd = async () => undefined;
});

describeAudit('SQLite', async () => createSqlite());

test('a file that another one was put in the place of, under the receiver, is said', async () => {
  const rig = createSqlite();
  onEnd = rig.remove;
  const [store, other] = [await rig.open(), await rig.open('other.db')];
  await store.commit(makeBatch({ accepts: [makeAccept()] }));
  await other.commit(makeBatch({ accepts: [makeAccept()] }));
  await other.close();
  const found: Tampering[] = [];
  store.onTampered((one) => found.push(one));
  for (const suffix of ['-wal', '-shm']) rmSync(join(rig.dir, `receiver.db${suffix}`), { force: true });
  renameSync(join(rig.dir, 'other.db'), join(rig.dir, 'receiver.db'));
  const patience = performance.now() + 20_000;
  for (;;) {
    const committed = await store.commit(makeBatch({ accepts: [makeAccept()] })).catch(() => undefined);
    if (committed !== undefined) break;
    if (performance.now() > patience) throw new Error('the store did not come back');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(found).toMatchObject([{ reason: 'chain-missing', found: null }]);
});

test('a spill says so too, and not where its entries have been moved', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'receiver-audit-'));
  const file = join(dir, 'spill.db');
  const spill = await openSpill({ file, maxBytes: 2 ** 26, auditKey: AUDIT_KEY });
  onEnd = async () => {
    await spill.close();
    rmSync(dir, { recursive: true });
  };
  const found: Tampering[] = [];
  spill.onTampered((one) => found.push(one));
  const audits = () => [makeDraft(), { ...makeDraft(), userId: 'anonymous' }];
  const commit = () => spill.spillCommit(makeBatch({ accepts: [makeAccept()], audits: audits() }));
  const move = async (rows: number) => {
    const parcel = await spill.readParcel({ rows, bytes: 2 ** 20 });
    await spill.forgetParcel(rowsOf(parcel));
    return parcel.entries;
  };
  for (const rows of [4, 100]) {
    await commit();
    expect(new Set((await move(rows)).map(({ writer }) => writer.startsWith('anonymous-'))).size).toBe(2);
    await commit();
  }
  await move(100);
  await spill.endChains();
  await commit();
  expect(found).toEqual([]);
  executeSqlite(file, 'UPDATE audit_chains SET seq = seq - 1');
  await commit();
  expect(found).toMatchObject([{ reason: 'head-changed' }, { reason: 'head-changed' }]);
});
