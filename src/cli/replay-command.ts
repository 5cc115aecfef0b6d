import { type Command, Option } from 'commander';
import type { Store } from '../inbox/store.ts';
import {
  addFilterOptions,
  type Conditions,
  describeFilter,
  type FilterOptions,
  readFilter,
  resolveFilter,
} from './event-filter.ts';
import { matchingEvents } from './matching-events.ts';
import { jsonOption } from './options.ts';
import { count, note, print, printJson } from './print.ts';
import { explainOrphans, type ReplayPlan, refuseUnregistered, replayIds, runReplay } from './replay-steps.ts';

const HELP = `
Replays run at once, in no order, from attempt 1, and also by handlers that were
added since the event came. Deliveries that are pending or running are left as
they are. With --state dead only the dead deliveries run again; otherwise those
that are done run again too.`;

interface ReplayOptions extends FilterOptions {
  readonly handler?: string;
  readonly all?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

interface Totals {
  /** Events that match. */
  matched: number;
  /** Events of which at least one delivery is to run again. */
  events: number;
  deliveries: number;
  /** Deliveries left alone, since their handler is gone. */
  orphaned: number;
  /** Names of handlers that are gone. */
  gone: readonly string[];
}

/** `events replay` */
export function addReplay(events: Command): void {
  addFilterOptions(
    events
      .command('replay')
      .description('run the handlers of events again: of those named, or of all that match')
      .argument('[id...]', 'ids of events')
      .addOption(new Option('--handler <name>', 'by this handler alone'))
      .addOption(new Option('--all', 'every event that is stored')),
  )
    .addOption(new Option('--dry-run', 'only say how many events match'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(replay);
}

async function replay(ids: readonly string[], options: ReplayOptions, command: Command): Promise<void> {
  const filter = readFilter(options);
  refuseUnclear(ids, filter, options, command);
  const totals: Totals = { matched: 0, events: 0, deliveries: 0, orphaned: 0, gone: [] };
  await runReplay(
    options.handler,
    refuseUnregistered,
    async (store, signal, onProgress) => {
      const resolved = await resolveFilter(store, filter);
      await replayAll(store, pages(store, ids, resolved), options, resolved, signal, totals, onProgress);
      if (totals.orphaned > 0) totals.gone = (await store.orphans()).handlers.map(({ handler }) => handler);
    },
    () => report(totals, options),
  );
}

function refuseUnclear(ids: readonly string[], filter: Conditions, options: ReplayOptions, command: Command): void {
  const ways = [ids.length > 0, Object.keys(filter).length > 0, options.all === true].filter(Boolean).length;
  if (ways === 1) return;
  const message = ways === 0 ? 'name events, give a filter, or say --all' : 'give ids, a filter or --all, one of them';
  command.error(`error: ${message}`, { exitCode: 2 });
}

async function* pages(store: Store, ids: readonly string[], filter: Conditions): AsyncGenerator<readonly string[]> {
  if (ids.length === 0) {
    for await (const page of matchingEvents(store, filter)) yield page.map(({ id }) => id);
    return;
  }
  const found = new Set((await store.listEvents({ ids, limit: ids.length })).map(({ id }) => id));
  for (const id of ids) {
    if (found.has(id)) continue;
    // It may be one that was answered while PostgreSQL was away, for content that was there already.
    const event = await store.findEvent(id);
    if (event === undefined) throw new Error(`there is no event with the id ${id}; nothing was replayed`);
    found.add(event.id);
  }
  yield [...found];
}

async function replayAll(
  store: Store,
  matching: AsyncIterable<readonly string[]>,
  options: ReplayOptions,
  filter: Conditions,
  signal: AbortSignal,
  totals: Totals,
  onProgress: (done: number) => void,
): Promise<void> {
  const plan: ReplayPlan = {
    only: filter.state === 'dead' ? 'dead' : 'finished',
    handler: options.handler,
    action: 'event.replay',
    metadata: describeFilter(filter),
  };
  for await (const page of matching) {
    signal.throwIfAborted();
    if (options.dryRun) {
      totals.matched += page.length;
      onProgress(totals.matched);
      continue;
    }
    await replayIds(store, page, plan, signal, (events, result) => {
      totals.matched += events;
      totals.events += result.events;
      totals.deliveries += result.deliveries;
      totals.orphaned += result.orphaned;
      onProgress(totals.matched);
    });
  }
}

function report({ gone, orphaned, ...totals }: Totals, { json, dryRun }: ReplayOptions): void {
  const left = orphaned === 0 ? undefined : explainOrphans(orphaned, gone, '');
  if (left !== undefined && totals.deliveries === 0) throw new Error(`${left}; nothing was replayed`);
  if (left !== undefined) note(`Left alone: ${left}.`);
  if (json) {
    const refused = orphaned === 0 ? {} : { orphaned };
    printJson(dryRun ? { dryRun: true, matched: totals.matched } : { dryRun: false, ...totals, ...refused });
    return;
  }
  if (dryRun) {
    print(`${count(totals.matched, 'event')} would be replayed.\n`);
    return;
  }
  print(`${count(totals.deliveries, 'delivery', 'deliveries')} of ${count(totals.events, 'event')} will run again.\n`);
  const untouched = totals.matched - totals.events;
  if (untouched > 0) {
    note(`${count(untouched, 'event')} left alone: without a handler, or with deliveries that have yet to end.`);
  }
}
