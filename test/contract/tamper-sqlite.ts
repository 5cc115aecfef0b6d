import { DatabaseSync } from 'node:sqlite';
import type { StoreUnderTest } from './store-contract.ts';

const TAMPERINGS = {
  metadata: `UPDATE audit_entries SET metadata = '{"n":2}' WHERE seq > 1`,
  'delete-entry': 'DELETE FROM audit_entries WHERE seq = 2',
  // Commands show entries by position, which no hash covers.
  reorder: 'UPDATE audit_entries SET position = 1000 - position',
  hide: 'UPDATE audit_entries SET position = -position WHERE seq = 2',
};

export function tamperSqlite(file: string, change: Parameters<StoreUnderTest['tamper']>[0]): void {
  const db = new DatabaseSync(file);
  db.exec(TAMPERINGS[change]);
  db.close();
}
