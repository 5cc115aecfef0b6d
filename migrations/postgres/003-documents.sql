-- least release: 1

-- Small texts that the service keeps for itself, by name in order of bytes. written_at: epoch milliseconds.
CREATE TABLE documents (
  name text COLLATE "C" PRIMARY KEY,
  text text NOT NULL,
  version bigint NOT NULL,
  written_at bigint NOT NULL
);
