import { parseMetadata } from '../audit/chain.ts';
import type { AuditEntry } from '../audit/entry.ts';

/** Columns of `audit_entries` as every store names them, with the name of the chain. */
export interface AuditRow {
  readonly position: number;
  /** The number of the chain. */
  readonly chain: number;
  readonly writer: string;
  readonly seq: number;
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly user_id: string;
  readonly resource: string;
  readonly result: AuditEntry['result'];
  readonly metadata: string;
  readonly prev_hash: Uint8Array;
  readonly hash: Uint8Array;
}

/** Over `audit_entries a`. */
export const AUDIT_COLUMNS =
  'a.position, a.chain, a.seq, a.id, a.timestamp, a.action, a.user_id, a.resource, a.result, a.metadata, a.prev_hash, a.hash';

/** Entries whose chain has no row are no work of ours: they come out under a name that fails verification. */
export const WRITER = "coalesce(c.writer, 'chain ' || a.chain) AS writer";

export const NAMED_ENTRIES = `SELECT ${WRITER}, ${AUDIT_COLUMNS}
  FROM audit_entries a LEFT JOIN audit_chains c ON c.chain = a.chain`;

export function toEntry(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    timestamp: row.timestamp,
    action: row.action,
    userId: row.user_id,
    resource: row.resource,
    result: row.result,
    metadata: parseMetadata(row.metadata),
    writer: row.writer,
    seq: row.seq,
    prevHash: toHex(row.prev_hash),
    hash: toHex(row.hash),
  };
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
