import type { Tally } from '../tally.ts';
import type { Connection } from './connection.ts';

export function writeTally(connection: Connection, tally: Tally): void {
  for (const [state, change] of tally.changes) {
    connection.run('UPDATE delivery_counts SET n = n + ? WHERE state = ?', change, state);
  }
}
