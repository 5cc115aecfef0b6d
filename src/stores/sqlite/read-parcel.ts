import { parseMetadata } from '../../audit/chain.ts';
import type { AuditDraft } from '../../audit/entry.ts';
import { dedupKey } from '../../events/dedup-key.ts';
import { parseBody } from '../../events/parse-body.ts';
import type { DeliveryRoute, EventSource } from '../../inbox/store.ts';
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

interface EventRow {
  readonly seq: number;
  readonly id: string;
  readonly received_at: number;
  readonly type: string;
  readonly raw_type: string | null;
  readonly occurred_at: number | null;
  readonly lead: string | null;
  readonly campaign_id: string | null;
  readonly principal: string;
  readonly source: EventSource;
  readonly bytes: number;
  readonly key: Uint8Array | null;
  readonly valid_until: number | null;
}

function readEvents(connection: Connection, rows: number, room: Room): SpilledEvent[] {
  const found = connection.all<EventRow>(
    `SELECT e.seq, e.id, e.received_at, e.type, e.raw_type, e.occurred_at, e.lead, e.campaign_id, e.principal, e.source, e.bytes,
        k.key, k.valid_until
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

function toEvent(connection: Connection, row: EventRow): SpilledEvent {
  const body = connection.get<{ body: Uint8Array }>('SELECT body FROM events WHERE seq = ?', row.seq)?.body;
  if (body === undefined) throw new Error('an event went while it was read');
  const event = {
    id: row.id,
    receivedAt: row.received_at,
    type: row.type,
    rawType: row.raw_type,
    timestamp: row.occurred_at,
    lead: row.lead,
    campaignId: row.campaign_id,
    principal: row.principal,
    source: row.source,
    dedupKey: row.key ?? keyOf(body),
    // Without a key its time was over when the same content came again, and has left the key to that.
    dedupUntil: row.valid_until ?? row.received_at,
    body,
  };
  return { event, routes: readRoutes(connection, row.seq) };
}

function keyOf(body: Uint8Array): Uint8Array {
  const parsed = parseBody(body);
  if (!parsed.ok) throw new Error('an event was kept whose body cannot be read');
  return dedupKey(parsed);
}

function readRoutes(connection: Connection, seq: number): DeliveryRoute[] {
  return connection
    .all<{ handler: string; ordered: number }>(
      'SELECT handler, order_key IS NOT NULL AS ordered FROM deliveries WHERE event_seq = ? ORDER BY id',
      seq,
    )
    .map(({ handler, ordered }) => ({ handler, ordered: ordered === 1 }));
}

interface BodyRow {
  readonly seq: number;
  readonly id: string;
  readonly received_at: number;
  readonly last_received_at: number;
  readonly times: number;
  readonly reason: string;
  readonly principal: string;
  readonly content_type: string | null;
  readonly body_sha256: string;
  readonly body: Uint8Array;
}

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
  return {
    id: row.id,
    receivedAt: row.received_at,
    lastReceivedAt: row.last_received_at,
    times: row.times,
    reason: row.reason,
    principal: row.principal,
    contentType: row.content_type,
    bodySha256: row.body_sha256.slice(0, SHA256_HEX),
    body: row.body,
  };
}

interface EntryRow {
  readonly position: number;
  readonly writer: string;
  readonly seq: number;
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly user_id: string;
  readonly resource: string;
  readonly result: AuditDraft['result'];
  readonly metadata: string;
  readonly prev_hash: Uint8Array;
  readonly hash: Uint8Array;
}

function readEntries(connection: Connection, rows: number, room: Room): SpilledEntry[] {
  const found = connection.all<EntryRow>(
    `SELECT a.position, coalesce(c.writer, 'chain ' || a.chain) AS writer, a.seq, a.id, a.timestamp, a.action, a.user_id,
        a.resource, a.result, a.metadata, a.prev_hash, a.hash
      FROM audit_entries a LEFT JOIN audit_chains c ON c.chain = a.chain ORDER BY a.position LIMIT ?`,
    rows,
  );
  const entries: SpilledEntry[] = [];
  for (const row of found) {
    if (!room.take(row.metadata.length)) break;
    entries.push(toEntry(row));
  }
  return entries;
}

function toEntry(row: EntryRow): SpilledEntry {
  return {
    position: row.position,
    id: row.id,
    timestamp: row.timestamp,
    action: row.action,
    userId: row.user_id,
    resource: row.resource,
    result: row.result,
    metadata: parseMetadata(row.metadata),
    metadataText: row.metadata,
    writer: row.writer,
    seq: row.seq,
    prevHash: toHex(row.prev_hash),
    hash: toHex(row.hash),
  };
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
