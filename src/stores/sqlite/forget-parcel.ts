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

const LAID_ASIDE = `CREATE TABLE IF NOT EXISTS laid_aside (
  at INTEGER NOT NULL, kind TEXT NOT NULL, facts TEXT NOT NULL, body BLOB) STRICT`;

/** To be called inside a transaction: keeps what the store behind refuses, for whoever has to look into it. */
export function layAside(connection: Connection, { events, bodies, entries }: ParcelRows): void {
  connection.db.exec(LAID_ASIDE);
  const now = Date.now();
  for (const id of events) {
    connection.run(
      `INSERT INTO laid_aside SELECT ?, 'event', json_object('id', id, 'received_at', received_at, 'principal', principal), body
        FROM events WHERE id = ?`,
      now,
      id,
    );
  }
  for (const id of bodies) {
    connection.run(
      `INSERT INTO laid_aside SELECT ?, 'quarantine', json_object('id', id, 'received_at', received_at, 'reason', reason), body
        FROM quarantine WHERE id = ?`,
      now,
      id,
    );
  }
  for (const { position } of entries) {
    connection.run(
      `INSERT INTO laid_aside SELECT ?, 'audit', json_object('writer', c.writer, 'seq', a.seq, 'id', a.id, 'timestamp', a.timestamp,
          'action', a.action, 'user_id', a.user_id, 'resource', a.resource, 'result', a.result, 'metadata', a.metadata,
          'prev_hash', hex(a.prev_hash), 'hash', hex(a.hash)), NULL
        FROM audit_entries a LEFT JOIN audit_chains c ON c.chain = a.chain WHERE a.position = ?`,
      now,
      position,
    );
  }
}
