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
  executeSqlite(file, TAMPERINGS[change]);
}

export function executeSqlite(file: string, sql: string): void {
  const db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec(sql);
  db.close();
}

export function refusePoison(file: string): void {
  const db = new DatabaseSync(file);
  const refuse = (name: string, when: string, column: string): void =>
    db.exec(
      `CREATE TRIGGER poison_${name} BEFORE ${when} WHEN NEW.${column} = 'poison' BEGIN SELECT RAISE(ABORT, 'refused'); END`,
    );
  refuse('events', 'INSERT ON events', 'type');
  refuse('deliveries', 'UPDATE ON deliveries', 'last_error');
  refuse('entries', 'INSERT ON audit_entries', 'action');
  db.close();
}
