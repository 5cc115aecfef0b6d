import { toText } from '../postgres/text.ts';
import { COPIED_DOCUMENT } from '../sqlite/copy-source.ts';
import { type CopiedTable, columns } from './copied-table.ts';

/** By number in order of name. Their types as JSON, which both databases write alike. */
export const HANDLERS: CopiedTable = {
  name: 'handlers',
  key: 'n',
  columns: columns({ n: 'bigint', name: 'text', events: 'text', ordered: 'boolean' }),
  source: `SELECT * FROM (SELECT row_number() OVER (ORDER BY name) AS n, name, events, ordered FROM handlers)
    WHERE n > ? ORDER BY n LIMIT ?`,
  insert: `INSERT INTO handlers (name, events, ordered)
    SELECT name, ARRAY(SELECT e.type FROM json_array_elements_text(events::json) WITH ORDINALITY AS e (type, n) ORDER BY e.n), ordered
      FROM rows`,
  target: `SELECT h.* FROM (
      SELECT row_number() OVER (ORDER BY name COLLATE "C") AS n, name, array_to_json(events)::text AS events, ordered FROM handlers) AS h
    WHERE h.n > $1 AND h.n <= $2 ORDER BY h.n LIMIT $3`,
  adapt: (row) => ({
    ...row,
    events: JSON.stringify((JSON.parse(String(row['events'])) as string[]).map((type) => toText(type))),
  }),
};

export const SECRETS_SEEN: CopiedTable = {
  name: 'secrets seen',
  key: 'n',
  columns: columns({ n: 'bigint', fingerprint: 'text', first_seen_at: 'bigint' }),
  source: `SELECT * FROM (SELECT row_number() OVER (ORDER BY fingerprint) AS n, fingerprint, first_seen_at FROM secrets_seen)
    WHERE n > ? ORDER BY n LIMIT ?`,
  insert: 'INSERT INTO secrets_seen (fingerprint, first_seen_at) SELECT fingerprint, first_seen_at FROM rows',
  target: `SELECT s.* FROM (
      SELECT row_number() OVER (ORDER BY fingerprint COLLATE "C") AS n, fingerprint, first_seen_at FROM secrets_seen) AS s
    WHERE s.n > $1 AND s.n <= $2 ORDER BY s.n LIMIT $3`,
};

/** Save of those that tell of processes alive now. */
export const DOCUMENTS: CopiedTable = {
  name: 'documents',
  key: 'n',
  columns: columns({ n: 'bigint', name: 'text', text: 'text', version: 'bigint', written_at: 'bigint' }),
  source: `SELECT * FROM (SELECT row_number() OVER (ORDER BY name) AS n, name, text, version, written_at FROM documents
      WHERE ${COPIED_DOCUMENT})
    WHERE n > ? ORDER BY n LIMIT ?`,
  insert: 'INSERT INTO documents (name, text, version, written_at) SELECT name, text, version, written_at FROM rows',
  target: `SELECT d.* FROM (SELECT row_number() OVER (ORDER BY name) AS n, name, text, version, written_at FROM documents) AS d
    WHERE d.n > $1 AND d.n <= $2 ORDER BY d.n LIMIT $3`,
};

/** With what is remembered of those that a later one's first entry has named. */
export const AUDIT_CHAINS: CopiedTable = {
  name: 'audit chains',
  key: 'chain',
  columns: columns({
    chain: 'bigint',
    writer: 'text',
    seq: 'bigint',
    hash: 'bytea',
    named_seq: 'bigint',
    named_by: 'bigint',
  }),
  source:
    'SELECT chain, writer, seq, hash, named_seq, named_by FROM audit_chains WHERE chain > ? ORDER BY chain LIMIT ?',
  insert: `, stored AS (
      INSERT INTO audit_chains (chain, writer, seq, hash) OVERRIDING SYSTEM VALUE SELECT chain, writer, seq, hash FROM rows ORDER BY chain)
    INSERT INTO audit_names (chain, named_seq, named_by)
      SELECT chain, named_seq, named_by FROM rows WHERE named_by IS NOT NULL ORDER BY chain`,
  target: `SELECT c.chain, c.writer, c.seq, c.hash, coalesce(n.named_seq, 0) AS named_seq, n.named_by
    FROM audit_chains c LEFT JOIN audit_names n ON n.chain = c.chain
    WHERE c.chain > $1 AND c.chain <= $2 ORDER BY c.chain LIMIT $3`,
};

const ENTRY_COLUMNS =
  'position, chain, seq, id, timestamp, action, user_id, resource, result, metadata, prev_hash, hash';

/** Byte for byte: their hashes are over these texts. */
export const AUDIT_ENTRIES: CopiedTable = {
  name: 'audit entries',
  key: 'position',
  columns: columns({
    position: 'bigint',
    chain: 'bigint',
    seq: 'bigint',
    id: 'text',
    timestamp: 'text',
    action: 'text',
    user_id: 'text',
    resource: 'text',
    result: 'text',
    metadata: 'text',
    prev_hash: 'bytea',
    hash: 'bytea',
  }),
  source: `SELECT ${ENTRY_COLUMNS} FROM audit_entries WHERE position > ? ORDER BY position LIMIT ?`,
  insert: `INSERT INTO audit_entries (${ENTRY_COLUMNS}) OVERRIDING SYSTEM VALUE SELECT ${ENTRY_COLUMNS} FROM rows ORDER BY position`,
  target: `SELECT ${ENTRY_COLUMNS} FROM audit_entries WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3`,
};
