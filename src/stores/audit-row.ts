import { parseMetadata } from '../audit/chain.ts';
import type { AuditEntry, ChainHead } from '../audit/entry.ts';
import type { Tampering } from '../audit/tampering.ts';

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

/** A chain whose row and newest entry are not the same. */
export interface EndRow {
  readonly writer: string;
  /** By the row of the chain; `null`: it has none. */
  readonly seq: number | null;
  readonly hash: Uint8Array | null;
  /** By its newest entry; `null`: it has none. */
  readonly last_seq: number | null;
  readonly last_hash: Uint8Array | null;
}

/** `undefined` where its entries were pruned, or may have left the store. */
export function toFinding(row: EndRow, cuts: readonly ChainHead[], mayLeave: boolean): Tampering | undefined {
  const { writer } = row;
  const toHead = (seq: number | null, hash: Uint8Array | null): ChainHead | null =>
    seq === null ? null : { writer, seq, hash: toHex(hash ?? new Uint8Array()) };
  const expected = toHead(row.seq, row.hash);
  const found = toHead(row.last_seq, row.last_hash);
  if (expected === null) return { reason: 'chain-unknown', writer, expected, found };
  if (found !== null) return { reason: 'head-changed', writer, expected, found };
  const isPruned = cuts.some((cut) => cut.writer === writer && cut.seq === expected.seq && cut.hash === expected.hash);
  return isPruned || mayLeave ? undefined : { reason: 'entry-missing', writer, expected, found };
}
