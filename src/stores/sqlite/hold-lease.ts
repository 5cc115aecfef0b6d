import type { Connection } from './connection.ts';

export interface LeaseWanted {
  readonly name: string;
  readonly owner: string;
  readonly forMs: number;
}

/** All processes with this file have one clock. */
export function holdLease(connection: Connection, { name, owner, forMs }: LeaseWanted): boolean {
  return connection.transaction(() => {
    const now = Date.now();
    connection.run(
      `INSERT INTO singleton_leases (name, owner, held_until) VALUES (?1, ?2, ?3)
        ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, held_until = excluded.held_until
        WHERE owner = excluded.owner OR held_until <= ?4`,
      name,
      owner,
      now + forMs,
      now,
    );
    const row = connection.get<{ owner: string }>('SELECT owner FROM singleton_leases WHERE name = ?', name);
    return row?.owner === owner;
  });
}

export function releaseLease(connection: Connection, name: string, owner: string): void {
  connection.transaction(() =>
    connection.run('DELETE FROM singleton_leases WHERE name = ? AND owner = ?', name, owner),
  );
}
