import { type CopiedTable, columns } from './copied-table.ts';

const EVENT_COLUMNS = 'id, received_at, type, raw_type, occurred_at, lead, campaign_id, principal, source, charset';

/** With their deduplication keys. One whose time was over when the same content came again has left its key to that, and
 * zeros stand there instead. */
export const EVENTS: CopiedTable = {
  name: 'events',
  key: 'seq',
  columns: columns({
    seq: 'bigint',
    id: 'uuid',
    received_at: 'bigint',
    type: 'text',
    raw_type: 'text',
    occurred_at: 'bigint',
    lead: 'text',
    campaign_id: 'text',
    principal: 'text',
    source: 'text',
    charset: 'text',
    dedup_key: 'bytea',
    valid_until: 'bigint',
    bytes: 'integer',
    body: 'bytea',
  }),
  source: `SELECT e.seq, e.id, e.received_at, e.type, e.raw_type, e.occurred_at, e.lead, e.campaign_id, e.principal, e.source, e.charset,
      coalesce(k.key, zeroblob(32)) AS dedup_key, k.valid_until, e.bytes, e.body
    FROM events e LEFT JOIN dedup_keys k ON k.event_seq = e.seq WHERE e.seq > ? ORDER BY e.seq LIMIT ?`,
  insert: `, stored AS (
      INSERT INTO events (seq, ${EVENT_COLUMNS}, dedup_key, bytes, body) OVERRIDING SYSTEM VALUE
        SELECT seq, ${EVENT_COLUMNS}, dedup_key, bytes, body FROM rows ORDER BY seq)
    INSERT INTO dedup_keys (occurred_at, key, event_id, seen_at, valid_until)
      SELECT coalesce(occurred_at, 0), dedup_key, id, received_at, valid_until FROM rows
        WHERE valid_until IS NOT NULL ORDER BY 1, 2`,
  target: `SELECT e.seq, e.id, e.received_at, e.type, e.raw_type, e.occurred_at, e.lead, e.campaign_id, e.principal, e.source, e.charset,
      e.dedup_key, k.valid_until, e.bytes, e.body
    FROM events e LEFT JOIN dedup_keys k ON k.occurred_at = coalesce(e.occurred_at, 0) AND k.key = e.dedup_key
      AND k.event_id = e.id AND k.seen_at = e.received_at
    WHERE e.seq > $1 AND e.seq <= $2 ORDER BY e.seq LIMIT $3`,
};

const DELIVERY_COLUMNS =
  'id, event_seq, handler, state, attempts, next_at, hold_until, replay, last_error, created_at, updated_at';

/**
 * With the counts of them. What keeps the order of a lead is its hash, which is the server's own business: it is compared as
 * the lead that it is the hash of. What ran when its process ended is due again, and the attempt stays counted.
 */
export const DELIVERIES: CopiedTable = {
  name: 'deliveries',
  key: 'id',
  columns: columns({
    id: 'bigint',
    event_seq: 'bigint',
    handler: 'text',
    state: 'text',
    attempts: 'integer',
    next_at: 'bigint',
    hold_until: 'bigint',
    order_lead: 'text',
    replay: 'boolean',
    last_error: 'text',
    created_at: 'bigint',
    updated_at: 'bigint',
  }),
  source: `SELECT ${DELIVERY_COLUMNS}, order_key AS order_lead FROM deliveries WHERE id > ? ORDER BY id LIMIT ?`,
  insert: `, counted AS (
      UPDATE delivery_counts c SET n = c.n + made.n
        FROM (SELECT state, count(*) AS n FROM rows GROUP BY state) AS made WHERE c.shard = 0 AND c.state = made.state)
    INSERT INTO deliveries (${DELIVERY_COLUMNS}, order_key) OVERRIDING SYSTEM VALUE
      SELECT ${DELIVERY_COLUMNS}, hashtextextended(order_lead, 0) FROM rows ORDER BY id`,
  target: `SELECT d.id, d.event_seq, d.handler, d.state, d.attempts, d.next_at, d.hold_until, d.replay, d.last_error, d.created_at,
      d.updated_at, CASE WHEN d.order_key IS NULL THEN NULL WHEN d.order_key = hashtextextended(e.lead, 0) THEN e.lead
        ELSE 'another' END AS order_lead
    FROM deliveries d LEFT JOIN events e ON e.seq = d.event_seq
    WHERE d.id > $1 AND d.id <= $2 ORDER BY d.id LIMIT $3`,
  adapt: (row, { startedAt }) => {
    if (row['state'] !== 'running') return row;
    const last_error = 'the process ended during this attempt';
    return { ...row, state: 'pending', next_at: startedAt, updated_at: startedAt, last_error };
  },
};

const QUARANTINE_COLUMNS = `seq, id, received_at, last_received_at, times, reason, principal, content_type, body_sha256, state,
  event_id, body`;

export const QUARANTINE: CopiedTable = {
  name: 'quarantine',
  key: 'seq',
  columns: columns({
    seq: 'bigint',
    id: 'uuid',
    received_at: 'bigint',
    last_received_at: 'bigint',
    times: 'bigint',
    reason: 'text',
    principal: 'text',
    content_type: 'text',
    body_sha256: 'text',
    state: 'text',
    event_id: 'uuid',
    body: 'bytea',
  }),
  source: `SELECT ${QUARANTINE_COLUMNS} FROM quarantine WHERE seq > ? ORDER BY seq LIMIT ?`,
  insert: `INSERT INTO quarantine (${QUARANTINE_COLUMNS}) OVERRIDING SYSTEM VALUE
      SELECT ${QUARANTINE_COLUMNS} FROM rows ORDER BY seq`,
  target: `SELECT ${QUARANTINE_COLUMNS} FROM quarantine WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`,
};
