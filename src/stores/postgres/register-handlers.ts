import type { HandlerRoute } from '../../inbox/store.ts';
import { toText } from './text.ts';
import type { Runner, Statement } from './transaction.ts';

/** Workers that start together register the same names: one after the other, the last one counts. */
const TAKE_TURN: Statement = {
  name: 'lock-handlers',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('instantly receiver: registration of handlers', 0))`,
};

const DROP_OTHERS: Statement = { name: 'drop-handlers', text: 'DELETE FROM handlers WHERE name <> ALL ($1::text[])' };

/** Each list of types as JSON, since an array of arrays has to be rectangular. */
const REGISTER: Statement = {
  name: 'register-handlers',
  text: `INSERT INTO handlers AS h (name, events, ordered)
    SELECT i.name, ARRAY(SELECT e.type FROM json_array_elements_text(i.events::json) WITH ORDINALITY AS e (type, n) ORDER BY e.n), i.ordered
      FROM unnest($1::text[], $2::text[], $3::boolean[]) AS i (name, events, ordered)
    ON CONFLICT (name) DO UPDATE SET events = excluded.events, ordered = excluded.ordered
      WHERE (h.events, h.ordered) IS DISTINCT FROM (excluded.events, excluded.ordered)`,
};

const REGISTERED: Statement = {
  name: 'registered-handlers',
  text: 'SELECT name, events, ordered FROM handlers ORDER BY name COLLATE "C"',
};

/** Inside a transaction. */
export async function registerHandlers(runner: Runner, handlers: readonly HandlerRoute[]): Promise<void> {
  await runner.all(TAKE_TURN);
  const names = handlers.map(({ handler }) => toText(handler));
  await runner.all(DROP_OTHERS, names);
  await runner.all(
    REGISTER,
    names,
    handlers.map(({ events }) => JSON.stringify(events.map((type) => toText(type)))),
    handlers.map(({ ordered }) => ordered),
  );
}

export async function registeredHandlers(runner: Runner): Promise<HandlerRoute[]> {
  const rows = await runner.all<{ name: string; events: string[]; ordered: boolean }>(REGISTERED);
  return rows.map(({ name, events, ordered }) => ({ handler: name, events, ordered }));
}
