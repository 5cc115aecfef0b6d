import { routesFor } from '../../inbox/accept.ts';
import type { AcceptResult, HandlerRoute } from '../../inbox/store.ts';
import type { Parcel, SpilledEvent } from '../spill/parcel.ts';
import { Tally } from '../tally.ts';
import { acceptEvents } from './accept-events.ts';
import { moveBodies } from './move-bodies.ts';
import { hasChainStart, LOCK_STARTS, moveEntries } from './move-entries.ts';
import { registeredHandlers } from './register-handlers.ts';
import type { Runner, Statement } from './transaction.ts';
import { writeTally } from './write-tally.ts';

/** Those that a move or a commit of unknown outcome has brought here before. */
const SETTLED: Statement = {
  name: 'settled-events',
  text: `SELECT id FROM events WHERE id = ANY ($1::uuid[])
    UNION ALL SELECT id FROM event_aliases WHERE id = ANY ($1::uuid[])`,
};

const INSERT_ALIASES: Statement = {
  name: 'insert-event-aliases',
  text: `INSERT INTO event_aliases (id, event_id) SELECT id, event_id FROM unnest($1::uuid[], $2::uuid[]) AS i (id, event_id)
    ON CONFLICT (id) DO NOTHING`,
};

/**
 * Takes in what a spill has kept, inside a transaction. The same parcel again changes nothing, be it after this transaction
 * or at the same time. Locks are taken in the order of a commit (see commitBatch); that of the starts of chains comes first,
 * as where a lane starts.
 *
 * @returns deliveries made
 * @throws RowRefused where an audit entry is there already with another hash: whichever is genuine, neither may replace the other
 */
export async function moveIn(runner: Runner, parcel: Parcel): Promise<number> {
  if (hasChainStart(parcel.entries)) await runner.all(LOCK_STARTS);
  const pending = await moveEvents(runner, parcel.events, Date.now());
  await moveBodies(runner, parcel.bodies);
  const tally = new Tally();
  tally.add('pending', pending);
  await writeTally(runner, tally);
  await moveEntries(runner, parcel.entries);
  return pending;
}

async function moveEvents(runner: Runner, spilled: readonly SpilledEvent[], now: number): Promise<number> {
  if (spilled.length === 0) return 0;
  const rows = await runner.all<{ id: string }>(
    SETTLED,
    spilled.map(({ event }) => event.id),
  );
  const settled = new Set(rows.map(({ id }) => id));
  const handlers = await registeredHandlers(runner);
  const fresh = spilled
    .filter(({ event }) => !settled.has(event.id))
    .map(({ event, routes }) => ({ event, routes: unite(routes, routesFor(handlers, event.type)) }));
  let pending = 0;
  for (const run of splitAtLikes(fresh)) {
    const { results, deliveries } = await acceptEvents(runner, run, now);
    await leaveAliases(runner, run, results);
    pending += deliveries;
  }
  return pending;
}

/** The spill knew the handlers of its time; those registered now may be others, and say by themselves whether order matters. */
function unite(
  routes: SpilledEvent['routes'],
  current: readonly Pick<HandlerRoute, 'handler' | 'ordered'>[],
): SpilledEvent['routes'] {
  const names = new Set(current.map(({ handler }) => handler));
  return [...current, ...routes.filter(({ handler }) => !names.has(handler))];
}

/** Like events stand in one spill only where the first one's time was over when the second came, so that both count: each
 * run holds one of them. */
function splitAtLikes(spilled: readonly SpilledEvent[]): SpilledEvent[][] {
  const runs: SpilledEvent[][] = [];
  let names = new Set<string>();
  for (const one of spilled) {
    const name = Buffer.from(one.event.dedupKey).toString('hex');
    if (runs.length === 0 || names.has(name)) {
      runs.push([]);
      names = new Set();
    }
    names.add(name);
    runs.at(-1)?.push(one);
  }
  return runs;
}

/** Somebody was answered with the spilled id: it leads to the event that was first. */
async function leaveAliases(
  runner: Runner,
  run: readonly SpilledEvent[],
  results: readonly AcceptResult[],
): Promise<void> {
  const aliases = run.flatMap(({ event }, index) => {
    const first = results[index]?.id ?? event.id;
    return first === event.id ? [] : [{ id: event.id, first }];
  });
  if (aliases.length === 0) return;
  await runner.all(
    INSERT_ALIASES,
    aliases.map(({ id }) => id),
    aliases.map(({ first }) => first),
  );
}
