-- least release: 1

-- Small texts that the service keeps for itself, by name. written_at: epoch milliseconds.
CREATE TABLE documents (
  name TEXT NOT NULL PRIMARY KEY,
  text TEXT NOT NULL,
  version INTEGER NOT NULL,
  written_at INTEGER NOT NULL
) STRICT;
