-- least release: 1

-- Periodic jobs that one process at a time may run, by name. held_until: epoch milliseconds.
CREATE TABLE singleton_leases (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  held_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
