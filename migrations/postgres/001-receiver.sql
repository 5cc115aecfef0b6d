-- least release: 1
-- The first line says the least release that can run on this schema: a newer schema is used by an older release
-- only as far back as that, so that a rolling update can be undone.

CREATE TABLE events (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  received_at bigint NOT NULL,
  type text NOT NULL,
  raw_type text,
  occurred_at bigint,
  lead text,
  campaign_id text,
  principal text NOT NULL,
  source text NOT NULL,
  -- Where its key stands in dedup_keys, so that pruning needs no index of its own there.
  dedup_key bytea NOT NULL,
  bytes integer NOT NULL,
  body bytea NOT NULL
);
-- Of the hash, because an index entry has to fit a third of a page and an address need not.
CREATE INDEX events_by_lead ON events (hashtextextended(lead, 0), seq) WHERE lead IS NOT NULL;

-- Identical content has an identical timestamp, so the timestamp leads the key: new keys land beside each other and
-- an insert touches one warm page, however many keys there are. Content without a usable timestamp stands at 0.
-- seen_at: receipt of the event that holds the key.
CREATE TABLE dedup_keys (
  occurred_at bigint NOT NULL,
  key bytea NOT NULL,
  event_id uuid NOT NULL,
  seen_at bigint NOT NULL,
  valid_until bigint NOT NULL,
  PRIMARY KEY (occurred_at, key)
);

-- Ids that were answered while PostgreSQL was away, for content that was there already under another.
CREATE TABLE event_aliases (
  id uuid PRIMARY KEY,
  event_id uuid NOT NULL
);
CREATE INDEX event_aliases_by_event ON event_aliases (event_id);

-- next_at: due time of a pending delivery; NULL while another delivery for the same lead holds it back, and when finished.
-- order_key: hash of the lead, NULL where order does not matter. hold_until: set by the first failure.
CREATE TABLE deliveries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_seq bigint NOT NULL,
  handler text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  next_at bigint,
  hold_until bigint,
  order_key bigint,
  replay boolean NOT NULL DEFAULT false,
  lease text,
  lease_until bigint,
  last_error text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX deliveries_by_event ON deliveries (event_seq, handler);
-- Partial indexes hold only what is unfinished, so that they stay small however many deliveries are done.
CREATE INDEX deliveries_due ON deliveries (handler, next_at, id) WHERE state = 'pending' AND next_at IS NOT NULL;
CREATE INDEX deliveries_in_order ON deliveries (handler, order_key, id)
  WHERE order_key IS NOT NULL AND state IN ('pending', 'running');
-- By an expression that no other statement uses: when statistics are taken while nothing is pending, the planner takes every
-- index of what is pending for empty, and would read a whole backlog through this one.
CREATE INDEX deliveries_pending ON deliveries (created_at) WHERE state || '' = 'pending';
CREATE INDEX deliveries_running ON deliveries (lease_until) WHERE state = 'running';
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

-- A queue changes each of its rows three times: vacuum has to come by number of changes, not by share of ten million.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000, autovacuum_vacuum_cost_delay = 0);

-- Deliveries by state: the sum over all shards. Writers take different shards, so that they do not wait for each other;
-- a shard by itself may be negative.
CREATE TABLE delivery_counts (
  shard smallint NOT NULL,
  state text NOT NULL,
  n bigint NOT NULL,
  PRIMARY KEY (shard, state)
) WITH (fillfactor = 40);
INSERT INTO delivery_counts (shard, state, n)
  SELECT shard, state, 0 FROM generate_series(0, 31) AS shard, unnest(ARRAY['pending', 'running', 'done', 'dead']) AS state;

CREATE TABLE handlers (
  name text PRIMARY KEY,
  events text[] NOT NULL,
  ordered boolean NOT NULL
);

CREATE TABLE quarantine (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  received_at bigint NOT NULL,
  last_received_at bigint NOT NULL,
  times bigint NOT NULL DEFAULT 1,
  reason text NOT NULL,
  principal text NOT NULL,
  content_type text,
  body_sha256 text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('held', 'retried')),
  event_id uuid,
  body bytea NOT NULL
);

CREATE INDEX quarantine_held ON quarantine (seq) WHERE state = 'held';
CREATE INDEX quarantine_by_receipt ON quarantine (last_received_at);

-- The newest entry of each chain.
CREATE TABLE audit_chains (
  chain bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer text NOT NULL UNIQUE,
  seq bigint NOT NULL,
  hash bytea NOT NULL
) WITH (fillfactor = 40);

-- named_seq: the newest entry of this chain that another chain's first entry has named. named_by: the newest chain that
-- did so; while its first entry is kept, a cut of this chain has to be remembered. A table of its own, so that a process
-- that starts waits for no commit of another.
CREATE TABLE audit_names (
  chain bigint PRIMARY KEY,
  named_seq bigint NOT NULL,
  named_by bigint NOT NULL
);

-- position: in each chain the order of seq; across chains the order of writing, which is nearly that of commit.
CREATE TABLE audit_entries (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chain bigint NOT NULL,
  seq bigint NOT NULL,
  id text NOT NULL,
  timestamp text NOT NULL,
  action text NOT NULL,
  user_id text NOT NULL,
  resource text NOT NULL,
  result text NOT NULL,
  -- Text and not jsonb: the hash covers it byte for byte.
  metadata text NOT NULL,
  prev_hash bytea NOT NULL,
  hash bytea NOT NULL
);
CREATE UNIQUE INDEX audit_entries_by_chain ON audit_entries (chain, seq);
CREATE INDEX audit_prunes ON audit_entries (position) WHERE action = 'audit.prune';

-- As with deliveries: a fifth of ten million rows is too long to wait for statistics and for what pruning has left.
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 200000);
ALTER TABLE dedup_keys SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 200000);
ALTER TABLE audit_entries SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 200000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 200000);

CREATE TABLE secrets_seen (
  fingerprint text PRIMARY KEY,
  first_seen_at bigint NOT NULL
);

-- Periodic jobs that one process at a time may run, by name.
CREATE TABLE singleton_leases (
  name text PRIMARY KEY,
  owner text NOT NULL,
  held_until timestamptz NOT NULL
);
