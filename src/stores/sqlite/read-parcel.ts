import { rawKey } from '../../events/dedup-key.ts';
import { interpretBody } from '../../events/interpret-body.ts';
import type { DeliveryRoute } from '../../inbox/store.ts';
import { type AuditRow, NAMED_ENTRIES, toEntry } from '../audit-row.ts';
import { EVENT_COLUMNS, type EventRow, factsOf } from '../event-row.ts';
import { type QuarantineRow, receiptOf } from '../quarantine-row.ts';
import type { Parcel, ParcelLimits, SpilledBody, SpilledEntry, SpilledEvent } from '../spill/parcel.ts';
import type { Connection } from './connection.ts';

/** Bodies in quarantine in one parcel, each of which costs the store behind a statement of its own. */
const MAX_BODIES = 50;

/** What may still go into the parcel. */
class Room {
  #bytes: number;
  #isEmpty = true;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** The first always fits. */
  take(bytes: number): boolean {
    if (!this.#isEmpty && bytes > this.#bytes) return false;
    this.#bytes -= bytes;
    this.#isEmpty = false;
    return true;
  }
}

/** To be called inside a transaction: bodies in quarantine are marked, see `freeze`. */
export function readParcel(connection: Connection, limits: ParcelLimits): Parcel {
  const room = new Room(limits.bytes);
  const events = readEvents(connection, limits.rows, room);
  const bodies = readBodies(connection, Math.min(limits.rows, MAX_BODIES), room);
  const entries = readEntries(connection, limits.rows, room);
  const isWhole = countsAre(connection, { events, bodies, entries });
  return { events, bodies, entries, isWhole };
}

/** Looks for one row more, so that no table is counted. */
function countsAre(connection: Connection, { events, bodies, entries }: Omit<Parcel, 'isWhole'>): boolean {
  const hasMore = (sql: string, n: number): boolean => connection.get(sql, n) !== undefined;
  return !(
    hasMore('SELECT 1 FROM events LIMIT 1 OFFSET ?', events.length) ||
    hasMore('SELECT 1 FROM quarantine LIMIT 1 OFFSET ?', bodies.length) ||
    hasMore('SELECT 1 FROM audit_entries LIMIT 1 OFFSET ?', entries.length)
  );
}

interface KeyedRow extends EventRow {
  readonly key: Uint8Array | null;
  readonly valid_until: number | null;
}

function readEvents(connection: Connection, rows: number, room: Room): SpilledEvent[] {
  const found = connection.all<KeyedRow>(
    `SELECT ${EVENT_COLUMNS}, k.key, k.valid_until
      FROM events e LEFT JOIN dedup_keys k ON k.event_seq = e.seq ORDER BY e.seq LIMIT ?`,
    rows,
  );
  const events: SpilledEvent[] = [];
  for (const row of found) {
    if (!room.take(row.bytes)) break;
    events.push(toEvent(connection, row));
  }
  return events;
}

function toEvent(connection: Connection, row: KeyedRow): SpilledEvent {
  const body = connection.get<{ body: Uint8Array }>('SELECT body FROM events WHERE seq = ?', row.seq)?.body;
  if (body === undefined) throw new Error('an event went while it was read');
  const event = {
    ...factsOf(row),
    dedupKey: row.key ?? keyOf(body, row.charset),
    // Without a key its time was over when the same content came again, and has left the key to that.
    dedupUntil: row.valid_until ?? row.received_at,
    body,
  };
  return { event, routes: readRoutes(connection, row.seq) };
}

function keyOf(body: Uint8Array, charset: string | null): Uint8Array {
  const event = interpretBody(body, charset);
  // One that could not be read when it came was kept by its bytes.
  return event.ok ? event.dedupKey : rawKey(body);
}

function readRoutes(connection: Connection, seq: number): DeliveryRoute[] {
  return connection
    .all<{ handler: string; ordered: number }>(
      'SELECT handler, order_key IS NOT NULL AS ordered FROM deliveries WHERE event_seq = ? ORDER BY id',
      seq,
    )
    .map(({ handler, ordered }) => ({ handler, ordered: ordered === 1 }));
}

type BodyRow = Omit<QuarantineRow, 'bytes'> & { readonly body: Uint8Array };

const SHA256_HEX = 64;

function readBodies(connection: Connection, rows: number, room: Room): SpilledBody[] {
  const found = connection.all<{ id: string; bytes: number }>(
    'SELECT id, length(body) AS bytes FROM quarantine ORDER BY seq LIMIT ?',
    rows,
  );
  const bodies: SpilledBody[] = [];
  for (const { id, bytes } of found) {
    if (!room.take(bytes)) break;
    freeze(connection, id);
    const row = connection.get<BodyRow>('SELECT * FROM quarantine WHERE id = ?', id);
    if (row !== undefined) bodies.push(toBody(row));
  }
  return bodies;
}

/** From now on the same bytes are not counted into this row, but kept as a row of their own: what a move has taken with it
 * is told from what came later by its id, even where nobody knows whether the move was committed. */
function freeze(connection: Connection, id: string): void {
  connection.run(
    `UPDATE quarantine SET body_sha256 = body_sha256 || ':' || id WHERE id = ? AND length(body_sha256) = ?`,
    id,
    SHA256_HEX,
  );
}

function toBody(row: BodyRow): SpilledBody {
  return { ...receiptOf(row), bodySha256: row.body_sha256.slice(0, SHA256_HEX), body: row.body };
}

function readEntries(connection: Connection, rows: number, room: Room): SpilledEntry[] {
  const entries: SpilledEntry[] = [];
  for (const row of connection.all<AuditRow>(`${NAMED_ENTRIES} ORDER BY a.position LIMIT ?`, rows)) {
    if (!room.take(row.metadata.length)) break;
    entries.push({ ...toEntry(row), position: row.position, metadataText: row.metadata });
  }
  return entries;
}
