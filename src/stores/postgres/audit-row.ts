import { parseMetadata } from '../../audit/chain.ts';
import type { AuditEntry } from '../../audit/entry.ts';

export interface AuditRow {
  readonly position: number;
  readonly chain: number;
  readonly writer: string;
  readonly seq: number;
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly user_id: string;
  readonly resource: string;
  readonly result: 'success' | 'failure';
  readonly metadata: string;
  readonly prev_hash: Buffer;
  readonly hash: Buffer;
}

export const AUDIT_COLUMNS =
  'a.position, a.chain, a.seq, a.id, a.timestamp, a.action, a.user_id, a.resource, a.result, a.metadata, a.prev_hash, a.hash';

/** Entries whose chain has no row are no work of ours: they come out under a name that fails verification. */
export const WRITER = "coalesce(c.writer, 'chain ' || a.chain) AS writer";

export const NAMED = `SELECT ${WRITER}, ${AUDIT_COLUMNS}
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
    prevHash: row.prev_hash.toString('hex'),
    hash: row.hash.toString('hex'),
  };
}
