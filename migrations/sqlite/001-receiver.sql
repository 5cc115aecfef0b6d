-- least release: 1
-- The first line says the least release that can run on this schema: a newer schema is used by an older release
-- only as far back as that, so that a rolling update can be undone.

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  received_at INTEGER NOT NULL,
  type TEXT NOT NULL,
  raw_type TEXT,
  occurred_at INTEGER,
  lead TEXT,
  campaign_id TEXT,
  principal TEXT NOT NULL,
  source TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE INDEX events_by_lead ON events (lead, seq) WHERE lead IS NOT NULL;

-- Identical content has an identical timestamp, so the timestamp leads the key: new keys land beside each other and
-- an insert touches one warm page, however many keys there are. Content without a usable timestamp stands at 0.
CREATE TABLE dedup_keys (
  occurred_at INTEGER NOT NULL,
  key BLOB NOT NULL,
  event_seq INTEGER NOT NULL,
  valid_until INTEGER NOT NULL,
  PRIMARY KEY (occurred_at, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX dedup_keys_by_event ON dedup_keys (event_seq);

-- next_at: due time of a pending delivery; NULL while another delivery for the same lead holds it back, and when finished.
-- order_key: the lead, NULL where order does not matter. hold_until: set by the first failure.
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  event_seq INTEGER NOT NULL,
  handler TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER,
  hold_until INTEGER,
  order_key TEXT,
  replay INTEGER NOT NULL DEFAULT 0,
  lease TEXT,
  lease_until INTEGER,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Partial indexes hold only what is unfinished, so that they stay small however many deliveries are done.
CREATE UNIQUE INDEX deliveries_by_event ON deliveries (event_seq, handler);
CREATE INDEX deliveries_due ON deliveries (handler, next_at, id) WHERE state = 'pending' AND next_at IS NOT NULL;
CREATE INDEX deliveries_in_order ON deliveries (handler, order_key, id)
  WHERE order_key IS NOT NULL AND state IN ('pending', 'running');
CREATE INDEX deliveries_unstarted ON deliveries (handler, order_key, id)
  WHERE order_key IS NOT NULL AND state = 'pending' AND attempts = 0;
CREATE INDEX deliveries_pending ON deliveries (id) WHERE state = 'pending';
CREATE INDEX deliveries_running ON deliveries (lease_until) WHERE state = 'running';
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

CREATE TABLE delivery_counts (
  state TEXT PRIMARY KEY,
  n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO delivery_counts (state, n) VALUES ('pending', 0), ('running', 0), ('done', 0), ('dead', 0);

CREATE TABLE handlers (
  name TEXT PRIMARY KEY,
  events TEXT NOT NULL,
  ordered INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  received_at INTEGER NOT NULL,
  last_received_at INTEGER NOT NULL,
  times INTEGER NOT NULL DEFAULT 1,
  reason TEXT NOT NULL,
  principal TEXT NOT NULL,
  content_type TEXT,
  body_sha256 TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('held', 'retried')),
  event_id TEXT,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE audit_chains (
  chain INTEGER PRIMARY KEY,
  writer TEXT NOT NULL UNIQUE,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  -- The newest entry of this chain that another chain's first entry has named.
  named_seq INTEGER NOT NULL DEFAULT 0,
  -- The newest chain that did so; while its first entry is kept, a cut of this chain has to be remembered.
  named_by INTEGER
) STRICT;

-- position: order of commit across all chains.
CREATE TABLE audit_entries (
  position INTEGER PRIMARY KEY,
  chain INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT NOT NULL,
  timestamp TEXT NOT NULL,
  action TEXT NOT NULL,
  user_id TEXT NOT NULL,
  resource TEXT NOT NULL,
  result TEXT NOT NULL,
  metadata TEXT NOT NULL,
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX audit_entries_by_chain ON audit_entries (chain, seq);
CREATE INDEX audit_prunes ON audit_entries (position) WHERE action = 'audit.prune';

CREATE TABLE secrets_seen (
  fingerprint TEXT PRIMARY KEY,
  first_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
