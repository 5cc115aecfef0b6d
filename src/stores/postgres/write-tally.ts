import type { Tally } from '../tally.ts';
import type { Runner, Statement } from './transaction.ts';

/** Rows of each state in `delivery_counts`. */
const SHARDS = 32;

/** In order of state, as everybody locks them: two writers of one shard wait for each other and never in a circle. */
const ADD: Statement = {
  name: 'add-to-counts',
  text: `WITH change AS MATERIALIZED (
      SELECT c.state, i.n FROM delivery_counts c JOIN unnest($2::text[], $3::bigint[]) AS i (state, n) ON c.state = i.state
        WHERE c.shard = $1 ORDER BY c.state FOR UPDATE OF c)
    UPDATE delivery_counts c SET n = c.n + change.n FROM change WHERE c.shard = $1 AND c.state = change.state`,
};

const TRY: Statement = {
  name: 'try-commit',
  // An update that changes nothing still writes and commits.
  text: `UPDATE delivery_counts SET n = n WHERE shard = $1 AND state = 'pending'`,
};

/** Fails where nothing can be committed now. */
export async function tryCommit(runner: Runner): Promise<void> {
  await runner.all(TRY, anyShard());
}

/** Into any shard: what matters is that writers seldom take the same. */
export async function writeTally(runner: Runner, tally: Tally): Promise<void> {
  const { changes } = tally;
  if (changes.length === 0) return;
  await runner.all(
    ADD,
    anyShard(),
    changes.map(([state]) => state),
    changes.map(([, change]) => change),
  );
}

function anyShard(): number {
  return Math.floor(Math.random() * SHARDS);
}
