import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { deriveAuditKey } from '../../audit/chain.ts';
import type { AuditDraft } from '../../audit/entry.ts';
import { Secret } from '../../config/secret.ts';
import type {
  AuditCursor,
  AuditPosition,
  BodyLimits,
  BodyPosition,
  ClaimRequest,
  DeadFilter,
  DiscardRequest,
  EventFilter,
  HandlerRoute,
  PruneRequest,
  ReplayRequest,
  StoreCondition,
} from '../../inbox/store.ts';
import type { PackedKeys } from '../dedup-keys.ts';
import type { ParcelLimits, ParcelRows } from '../spill/parcel.ts';
import type { AuditLane } from './audit-lane.ts';
import { bringBackTimes, claimDeliveries, recoverLeases } from './claim-deliveries.ts';
import { commitBatch } from './commit-batch.ts';
import type { Connection } from './connection.ts';
import { dropDocument, listDocuments, readDocument, writeDocument } from './documents.ts';
import { findByKeys } from './find-by-keys.ts';
import { findTampering } from './find-tampering.ts';
import { holdLease, releaseLease } from './hold-lease.ts';
import { type PackedBatch, unpackBatch } from './pack-batch.ts';
import { prune } from './prune.ts';
import { readHeads, tailAudit } from './read-audit.ts';
import { findEvent, listDead, listEvents, readCounts, readOrphans } from './read-events.ts';
import { findQuarantined, listQuarantine } from './read-quarantine.ts';
import { discardDeliveries, registeredHandlers, registerHandlers, replayDeliveries } from './replay-deliveries.ts';
import { Snapshots } from './snapshots.ts';
import { SpillFile } from './spill-file.ts';
import { isSqliteError } from './sqlite-error.ts';
import type { ThreadOptions } from './thread-protocol.ts';

/** Free bytes below which a disk that had no room for an event has none for the next one either. */
const ROOM_BYTES = 1024 * 1024;

/** What the thread that owns the file can be asked for, by name: the Store contract, synchronous. */
export function createOperations(
  { file, writer: owner, auditKey, maxBytes }: ThreadOptions,
  connection: Connection,
  lane: AuditLane,
  freeBytes = (): number => freeBytesIn(dirname(file)),
) {
  const snapshots = new Snapshots(file);
  const spill = maxBytes === undefined ? undefined : new SpillFile(connection, lane, maxBytes);
  let hasLooked = false;
  /** Events have found the disk full since others were last committed. */
  let wasFull = false;
  return {
    commit: (packed: PackedBatch) => {
      const batch = unpackBatch(packed);
      try {
        const result = commitBatch(connection, lane, batch);
        if (batch.accepts.length > 0) wasFull = false;
        return result;
      } catch (error) {
        wasFull ||= isSqliteError(error, 'FULL');
        throw error;
      }
    },
    claim: (request: ClaimRequest) => claimDeliveries(connection, owner, request),
    recoverLeases: (now: number, maxAttempts: number) => {
      if (!hasLooked) bringBackTimes(connection, now);
      hasLooked = true;
      return recoverLeases(connection, owner, now, maxAttempts);
    },
    registerHandlers: (handlers: readonly HandlerRoute[]) => registerHandlers(connection, handlers),
    registeredHandlers: () => registeredHandlers(connection),
    counts: () => readCounts(connection),
    orphans: () => readOrphans(connection),
    check: () => {
      const condition = checkWritable(connection);
      // On a full disk that page fits where the log has room from before, and an event does not.
      if (wasFull && freeBytes() < ROOM_BYTES) throw new Error('the disk is full');
      return condition;
    },
    listEvents: (filter: EventFilter) => listEvents(connection, filter),
    findEvent: (id: string) => findEvent(connection, id),
    listDead: (filter: DeadFilter) => listDead(connection, filter),
    replay: (request: ReplayRequest) => replayDeliveries(connection, lane, request),
    discard: (request: DiscardRequest) => discardDeliveries(connection, lane, request),
    listQuarantine: (filter: Parameters<typeof listQuarantine>[1]) => listQuarantine(connection, filter),
    findQuarantined: (id: string) => findQuarantined(connection, id),
    openSnapshot: () => snapshots.open(),
    readSnapshot: (id: number, after: AuditPosition | undefined, limit: number) => snapshots.get(id).read(after, limit),
    readSnapshotBodies: (id: number, after: BodyPosition | undefined, limits: BodyLimits) =>
      snapshots.get(id).bodies(after, limits),
    describeSnapshot: (id: number) => snapshots.get(id).describe(),
    closeSnapshot: (id: number) => snapshots.close(id),
    tailAudit: (limit: number, after?: AuditCursor) => tailAudit(connection, limit, after),
    auditHeads: () => readHeads(connection),
    checkLog: () => {
      const found = findTampering(connection, deriveAuditKey(new Secret(auditKey)), spill !== undefined);
      lane.writeDown(found);
      return found;
    },
    beginAudit: (entry: AuditDraft) => connection.transaction(() => ({ entries: lane.replaceAll(connection, entry) })),
    prune: (request: PruneRequest) => prune(connection, lane, request),
    firstSeen: (fingerprints: readonly string[], now: number) => firstSeen(connection, fingerprints, now),
    findFirstSeen: (fingerprints: readonly string[]) => findFirstSeen(connection, fingerprints),
    holdLease: (name: string, owner: string, forMs: number) => holdLease(connection, { name, owner, forMs }),
    releaseLease: (name: string, owner: string) => releaseLease(connection, name, owner),
    readDocument: (name: string) => readDocument(connection, name),
    listDocuments: (prefix: string, limit: number) => listDocuments(connection, prefix, limit),
    writeDocument: (name: string, text: string, version: number | null) =>
      writeDocument(connection, name, text, version),
    dropDocument: (name: string) => dropDocument(connection, name),
    findByKeys: (keys: PackedKeys, now: number) => findByKeys(connection, keys, now),
    backup: (file: string) => backup(connection, file),
    spillCommit: (batch: PackedBatch) => asSpill(spill).commit(unpackBatch(batch)),
    spillSize: () => asSpill(spill).size(),
    spillCheck: () => asSpill(spill).check(),
    readParcel: (limits: ParcelLimits) => asSpill(spill).readParcel(limits),
    forgetParcel: (rows: ParcelRows, refused: ParcelRows | undefined) => asSpill(spill).forget(rows, refused),
    spillHeads: () => asSpill(spill).heads(),
    endChains: () => asSpill(spill).endChains(),
    isStore: () => asSpill(spill).isStore(),
  };
}

export type Operations = ReturnType<typeof createOperations>;

function asSpill(spill: SpillFile | undefined): SpillFile {
  if (spill === undefined) throw new Error('the file was not opened as a spill');
  return spill;
}

/** Writes a page and commits it: a full disk, a read-only file or a lock held elsewhere shows here. */
function checkWritable(connection: Connection): StoreCondition {
  connection.transaction(() => connection.run('UPDATE delivery_counts SET n = n WHERE state = ?', 'pending'));
  return { degraded: null };
}

function freeBytesIn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function firstSeen(connection: Connection, fingerprints: readonly string[], now: number): Map<string, number> {
  return connection.transaction(() => {
    for (const fingerprint of fingerprints) {
      connection.run(
        'INSERT INTO secrets_seen (fingerprint, first_seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
        fingerprint,
        now,
      );
    }
    return findFirstSeen(connection, fingerprints);
  });
}

function findFirstSeen(connection: Connection, fingerprints: readonly string[]): Map<string, number> {
  const rows = connection.all<{ fingerprint: string; at: number }>(
    'SELECT fingerprint, first_seen_at AS at FROM secrets_seen WHERE fingerprint IN (SELECT value FROM json_each(?))',
    JSON.stringify(fingerprints),
  );
  return new Map(rows.map(({ fingerprint, at }) => [fingerprint, at]));
}

/**
 * VACUUM INTO rather than SQLite's backup API: it copies one snapshot, while the API starts over whenever the service
 * commits and may never end under load. The copy gets its name only once it is whole and on the disk.
 */
function backup(connection: Connection, file: string): { bytes: number } {
  if (existsSync(file)) throw new Error(`${file} exists already`);
  const partial = `${file}.partial-${process.pid}`;
  try {
    connection.db.prepare('VACUUM INTO ?').run(partial);
    syncPath(partial);
    renameSync(partial, file);
    syncPath(dirname(file));
  } finally {
    rmSync(partial, { force: true });
  }
  return { bytes: statSync(file).size };
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
