-- least release: 1
-- `discarded`: ended by an operator. NOT VALID: known rows are not read again.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state_check
  CHECK (state IN ('pending', 'running', 'done', 'dead', 'discarded')) NOT VALID;
INSERT INTO delivery_counts (shard, state, n) SELECT shard, 'discarded', 0 FROM generate_series(0, 31) AS shard;
