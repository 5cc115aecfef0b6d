import type { ParcelRows } from '../spill/parcel.ts';
import { Tally } from '../tally.ts';
import type { Connection } from './connection.ts';
import { writeTally } from './write-tally.ts';

/** To be called inside a transaction. Gives how many events went; what is gone already is passed over. */
export function forgetRows(connection: Connection, { events, bodies, entries }: ParcelRows): number {
  const tally = new Tally();
  let gone = 0;
  for (const id of events) gone += forgetEvent(connection, tally, id);
  for (const id of bodies) connection.run('DELETE FROM quarantine WHERE id = ?', id);
  for (const { position, hash } of entries) {
    connection.run('DELETE FROM audit_entries WHERE position = ? AND hash = ?', position, Buffer.from(hash, 'hex'));
  }
  writeTally(connection, tally);
  forgetNamedChains(connection);
  return gone;
}

function forgetEvent(connection: Connection, tally: Tally, id: string): number {
  const seq = connection.get<{ seq: number }>('SELECT seq FROM events WHERE id = ?', id)?.seq;
  if (seq === undefined) return 0;
  const { changes } = connection.run('DELETE FROM deliveries WHERE event_seq = ?', seq);
  tally.add('pending', -changes);
  connection.run('DELETE FROM dedup_keys WHERE event_seq = ?', seq);
  connection.run('DELETE FROM events WHERE seq = ?', seq);
  return 1;
}

/** A chain that may still go on is named by none. */
function forgetNamedChains(connection: Connection): void {
  connection.run(
    `DELETE FROM audit_chains WHERE seq > 0 AND named_seq >= seq
      AND NOT EXISTS (SELECT 1 FROM audit_entries a WHERE a.chain = audit_chains.chain)`,
  );
}
