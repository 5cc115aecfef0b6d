import type { DeliveryState } from '../../inbox/store.ts';
import type { Statement, Value } from './transaction.ts';

/** Rows of each state in `delivery_counts`. */
export const SHARDS = 32;

/** In order of state, as everybody locks them: two writers of one shard wait for each other and never in a circle. */
const ADD: Statement = {
  name: 'add-to-counts',
  text: `WITH change AS MATERIALIZED (
      SELECT c.state, i.n FROM delivery_counts c JOIN unnest($2::text[], $3::bigint[]) AS i (state, n) ON c.state = i.state
        WHERE c.shard = $1 ORDER BY c.state FOR UPDATE OF c)
    UPDATE delivery_counts c SET n = c.n + change.n FROM change WHERE c.shard = $1 AND c.state = change.state`,
};

/**
 * Deliveries by state, added up while a transaction runs and written once at its end: counting ten million rows at each
 * scrape would take the server minutes, a trigger for each row would cost as much as the row.
 */
export class Tally {
  readonly #changes: Record<DeliveryState, number> = { pending: 0, running: 0, done: 0, dead: 0 };
  #madePending = 0;

  /** Deliveries that became pending. */
  get madePending(): number {
    return this.#madePending;
  }

  add(state: DeliveryState, n = 1): void {
    this.#changes[state] += n;
    if (state === 'pending' && n > 0) this.#madePending += n;
  }

  move(from: DeliveryState, to: DeliveryState, n = 1): void {
    this.add(from, -n);
    this.add(to, n);
  }

  /** One statement for all changes; `undefined` where nothing has changed. */
  statement(shard: number): { readonly statement: Statement; readonly values: Value[] } | undefined {
    const changes = Object.entries(this.#changes).filter(([, change]) => change !== 0);
    if (changes.length === 0) return undefined;
    return { statement: ADD, values: [shard, changes.map(([state]) => state), changes.map(([, change]) => change)] };
  }
}
