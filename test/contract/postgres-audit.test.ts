import type { Store } from '../../src/inbox/store.ts';
import { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type AuditUnderTest, describeAudit } from './audit-contract.ts';
import { AUDIT_KEY } from './store-contract.ts';

async function createPostgres(): Promise<AuditUnderTest> {
  const database = await createTestDatabase();
  const opened: Store[] = [];
  const openWith = async (serve: boolean): Promise<Store> => {
    const location = 'a database of the tests';
    const store = PostgresStore.open({ url: database.url, location, auditKey: AUDIT_KEY, serve });
    opened.push(store);
    await store.connected();
    return store;
  };
  return {
    open: () => openWith(false),
    start: () => openWith(true),
    async execute(sql) {
      await database.query(sql);
    },
    async remove() {
      await Promise.all(opened.map((store) => store.close()));
      await database.drop();
    },
  };
}

describeAudit('PostgreSQL', createPostgres);
