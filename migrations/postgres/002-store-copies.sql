-- least release: 1

-- The copy of a SQLite file into this database: one at the most, into an empty one. Until it is finished nobody else may
-- use the database. source: what the file held when the copy began. at_table, at_key: how far it has come; at_rows: in rows.
CREATE TABLE store_copies (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  source text NOT NULL,
  started_at bigint NOT NULL,
  finished_at bigint,
  at_table text NOT NULL,
  at_key bigint NOT NULL,
  at_rows bigint NOT NULL
);
