import type { Connection } from './connection.ts';

const IMPLAUSIBLE_MS = 120_000;

export interface LeaseWanted {
  readonly name: string;
  readonly owner: string;
  readonly forMs: number;
}

/** All processes with this file have one clock. None lasts longer than a minute: one that seems to was taken before the
 * clock was set back. */
export function holdLease(connection: Connection, { name, owner, forMs }: LeaseWanted): boolean {
  return connection.transaction(() => {
    const now = Date.now();
    connection.run(
      `INSERT INTO singleton_leases (name, owner, held_until) VALUES (?1, ?2, ?3)
        ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, held_until = excluded.held_until
        WHERE owner = excluded.owner OR held_until <= ?4 OR held_until > ?5`,
      name,
      owner,
      now + forMs,
      now,
      now + IMPLAUSIBLE_MS,
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
