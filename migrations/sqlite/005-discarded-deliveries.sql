-- least release: 1
-- `discarded`: ended by an operator. The constraint is changed in place: a new table of ten million rows takes minutes.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''done'', ''dead'')', '''done'', ''dead'', ''discarded'')')
  WHERE type = 'table' AND name = 'deliveries';
PRAGMA writable_schema = RESET;
INSERT INTO delivery_counts (state, n) VALUES ('discarded', 0);

-- Dead deliveries of handlers that are gone. A new index also has other connections read the schema again.
CREATE INDEX deliveries_dead_by_handler ON deliveries (handler, id) WHERE state = 'dead';
