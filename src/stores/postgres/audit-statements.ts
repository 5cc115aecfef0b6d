import { STRANGERS_RANGE } from '../../audit/chain-memory.ts';
import type { Statement } from './transaction.ts';

export const SQL = {
  lockChain: {
    name: 'lock-chain',
    text: 'SELECT chain, seq, hash FROM audit_chains WHERE writer = $1 FOR UPDATE',
  },
  lockStarts: {
    name: 'lock-chain-starts',
    text: `SELECT pg_advisory_xact_lock(hashtextextended('instantly receiver: start of an audit chain', 0))`,
  },
  unnamedHeads: {
    name: 'unnamed-heads',
    text: `SELECT c.chain, c.writer, c.seq, c.hash FROM audit_chains c LEFT JOIN audit_names n ON n.chain = c.chain
      WHERE c.seq > coalesce(n.named_seq, 0) AND starts_with(c.writer, '${STRANGERS_RANGE[0]}') = $1::boolean ORDER BY c.chain`,
  },
  /** Above every number in use: somebody may have removed a chain and left its entries, which would be in the way. */
  makeChain: {
    name: 'make-chain',
    text: `INSERT INTO audit_chains (chain, writer, seq, hash) OVERRIDING SYSTEM VALUE
      SELECT greatest(nextval(pg_get_serial_sequence('audit_chains', 'chain')), 1 + coalesce((SELECT max(chain) FROM audit_chains), 0),
        1 + coalesce((SELECT max(chain) FROM audit_entries), 0)), $1, 0, '' RETURNING chain`,
  },
  nameHeads: {
    name: 'name-heads',
    text: `INSERT INTO audit_names (chain, named_seq, named_by)
      SELECT chain, seq, $3::bigint FROM unnest($1::bigint[], $2::bigint[]) AS head (chain, seq)
      ON CONFLICT (chain) DO UPDATE SET named_seq = excluded.named_seq, named_by = excluded.named_by
        WHERE audit_names.named_seq < excluded.named_seq`,
  },
  /** The division by zero is what fails the transaction where the head, or the newest entry, is another than the one it goes on from. */
  insertEntries: {
    name: 'insert-entries',
    text: `WITH head AS (
        UPDATE audit_chains SET seq = $2, hash = $3 WHERE chain = $1 AND seq = $4
          AND ($4 = 0 OR hash = substring($12::bytea FROM 1 FOR 32) AND ($13::boolean OR hash = (SELECT a.hash FROM audit_entries a WHERE a.chain = $1 AND a.seq = $4 LIMIT 1)))
          RETURNING chain)
      INSERT INTO audit_entries (chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash)
      SELECT $1::bigint / (SELECT count(*) FROM head), $4::bigint + e.n, e.id, e.timestamp, e.action, e.user_id, e.resource, e.result, e.metadata,
        substring($12::bytea FROM (32 * e.n - 31)::int FOR 32), substring($12::bytea FROM (32 * e.n + 1)::int FOR 32)
      FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
        WITH ORDINALITY AS e (id, timestamp, action, user_id, resource, result, metadata, n) ORDER BY e.n`,
  },
} as const satisfies Record<string, Statement>;
