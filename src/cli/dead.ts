import { createInterface } from 'node:readline/promises';
import { type Command, Option } from 'commander';
import type { DeadFilter, Store } from '../inbox/store.ts';
import { refuseUnknownHandler } from './known-names.ts';
import { commandSettings, readStore } from './open-store.ts';
import { jsonOption, limitOption } from './options.ts';
import { count, isoTime, note, noteLimit, print, printJson, printTable, showTime } from './print.ts';
import { explainOrphans, type ReplayPlan, refuseUnregistered, replayIds, runReplay } from './replay-steps.ts';

/** Dead deliveries looked at in one round. */
const ROUND = 50_000;

/** `dead`: deliveries that have used up their attempts, and those whose handler is gone. */
export function register(program: Command): void {
  const dead = program.command('dead').description('look at dead and orphaned deliveries, run them again or end them');
  dead
    .command('list')
    .description('list dead deliveries and those of handlers that are gone')
    .addOption(new Option('--handler <name>', 'of this handler'))
    .addOption(limitOption())
    .addOption(jsonOption())
    .action(list);
  dead
    .command('replay')
    .description('run dead deliveries again: of the events named, of a handler, or all')
    .argument('[id...]', 'ids of events')
    .addOption(new Option('--handler <name>', 'of this handler alone'))
    .addOption(new Option('--all', 'all of them'))
    .addOption(jsonOption())
    .action(replay);
  dead
    .command('discard')
    .description('end dead and orphaned deliveries: of the events named, of a handler, or all')
    .argument('[id...]', 'ids of events')
    .addOption(new Option('--handler <name>', 'of this handler alone'))
    .addOption(new Option('--all', 'all of them'))
    .addOption(new Option('--yes', 'do not ask; needed where there is no terminal'))
    .addOption(jsonOption())
    .action(discard);
}

interface DeadOptions {
  readonly handler?: string;
  readonly json?: true;
}

async function list(options: DeadOptions & { readonly limit: number }): Promise<void> {
  const { handler, limit } = options;
  const dead = await readStore(commandSettings(), async (store) => {
    await refuseUnknownHandler(store, handler);
    return store.listDead({ limit, ...(handler === undefined ? {} : { handler }) });
  });
  if (options.json) {
    printJson(
      dead.map((delivery) => ({
        eventId: delivery.eventId,
        type: delivery.type,
        lead: delivery.lead,
        handler: delivery.handler,
        state: stateOf(delivery),
        attempts: delivery.attempts,
        lastError: delivery.lastError,
        diedAt: delivery.state === 'dead' ? isoTime(delivery.updatedAt) : null,
      })),
    );
    return;
  }
  if (dead.length === 0) {
    note('No delivery is dead or orphaned.');
    return;
  }
  printTable(
    ['changed', 'state', 'handler', 'type', 'lead', 'attempts', 'last error', 'event'],
    dead.map((delivery) => [
      showTime(delivery.updatedAt),
      stateOf(delivery),
      delivery.handler,
      delivery.type,
      delivery.lead,
      delivery.attempts,
      delivery.lastError,
      delivery.eventId,
    ]),
  );
  noteLimit(dead.length, limit);
}

function stateOf({ state, orphaned }: { readonly state: string; readonly orphaned: boolean }): string {
  return orphaned ? 'orphaned' : state;
}

interface ChoiceOptions extends DeadOptions {
  readonly all?: true;
  readonly yes?: true;
}

function refuseUnclear(ids: readonly string[], { handler, all }: ChoiceOptions, command: Command): void {
  if (ids.length === 0 && handler === undefined && all === undefined) {
    command.error('error: name events, a handler with --handler, or say --all', { exitCode: 2 });
  }
  if (ids.length > 0 && all) command.error('error: give ids or --all, one of them', { exitCode: 2 });
}

async function replay(ids: readonly string[], options: ChoiceOptions, command: Command): Promise<void> {
  refuseUnclear(ids, options, command);
  const totals = { events: 0, deliveries: 0 };
  const filter = filterOf(ids, options.handler);
  await runReplay(
    options.handler,
    refuseUnregistered,
    async (store, signal, onProgress) => {
      const left = await store.listDead({ ...filter, orphaned: true, limit: ROUND });
      const isIdle = (await store.listDead({ ...filter, orphaned: false, limit: 1 })).length === 0;
      if (left.length > 0) {
        const gone = [...new Set(left.map(({ handler }) => handler))].toSorted();
        const way = ids.length > 0 ? ` ${ids.join(' ')}` : gone.length === 1 ? ` --handler ${gone[0]}` : '';
        const why = explainOrphans(left.length, gone, way);
        if (isIdle) throw new Error(`${why}; nothing was replayed`);
        note(`Left alone: ${why}.`);
      }
      const plan: ReplayPlan = { only: 'dead', handler: options.handler, action: 'dead.replay', metadata: {} };
      await workOff(store, ids, { ...filter, orphaned: false }, plan, signal, totals, onProgress);
    },
    () => report(totals, 'will run again', options),
  );
}

async function discard(ids: readonly string[], options: ChoiceOptions, command: Command): Promise<void> {
  refuseUnclear(ids, options, command);
  const mayAsk = process.stdin.isTTY === true && process.stderr.isTTY === true;
  if (!options.yes && !mayAsk) {
    command.error('error: discard ends deliveries for good; without a terminal to ask on it needs --yes', {
      exitCode: 2,
    });
  }
  const totals = { events: 0, deliveries: 0 };
  const filter = filterOf(ids, options.handler);
  await runReplay(
    options.handler,
    refuseUnknownHandler,
    async (store, signal, onProgress) => {
      if (!options.yes) await confirm(store, filter, signal);
      const plan: ReplayPlan = { only: 'discard', handler: options.handler, action: 'dead.discard', metadata: {} };
      await workOff(store, ids, filter, plan, signal, totals, onProgress);
    },
    () => report(totals, totals.deliveries === 1 ? 'is discarded' : 'are discarded', options),
  );
}

async function confirm(store: Store, filter: Omit<DeadFilter, 'limit'>, signal: AbortSignal): Promise<void> {
  const found = (await store.listDead({ ...filter, limit: ROUND })).length;
  if (found === 0) return;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const many = `${count(found, 'delivery', 'deliveries')}${found === ROUND ? ' or more' : ''}`;
  const answer = await terminal.question(`End ${many} for good? [y/N] `, { signal }).finally(() => terminal.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new Error('nothing was discarded');
}

function filterOf(ids: readonly string[], handler: string | undefined): Omit<DeadFilter, 'limit'> {
  return { ...(handler === undefined ? {} : { handler }), ...(ids.length === 0 ? {} : { eventIds: ids }) };
}

/** In rounds of what was dead before we began: a delivery that dies again meanwhile is not taken up a second time. */
async function workOff(
  store: Store,
  ids: readonly string[],
  filter: Omit<DeadFilter, 'limit'>,
  plan: ReplayPlan,
  signal: AbortSignal,
  totals: { events: number; deliveries: number },
  onProgress: (done: number) => void,
): Promise<void> {
  const startedAt = Date.now();
  for (;;) {
    signal.throwIfAborted();
    const dead = (await store.listDead({ ...filter, limit: ROUND })).filter(({ updatedAt }) => updatedAt <= startedAt);
    refuseLiving(ids, dead, totals.deliveries, plan);
    if (dead.length === 0) return;
    const before = totals.deliveries;
    await replayIds(store, [...new Set(dead.map(({ eventId }) => eventId))], plan, signal, (_, result) => {
      totals.events += result.events;
      totals.deliveries += result.deliveries;
      onProgress(totals.events);
    });
    if (totals.deliveries === before) return;
  }
}

/** An id with nothing dead is likely a wrong one. */
function refuseLiving(
  ids: readonly string[],
  dead: readonly { readonly eventId: string }[],
  done: number,
  { only }: ReplayPlan,
): void {
  if (done > 0) return;
  const known = new Set(dead.map(({ eventId }) => eventId));
  const living = ids.find((id) => !known.has(id));
  if (living === undefined) return;
  const nothing = only === 'discard' ? 'discarded' : 'replayed';
  throw new Error(`no dead delivery belongs to an event with the id ${living}; nothing was ${nothing}`);
}

function report(
  totals: { readonly events: number; readonly deliveries: number },
  what: string,
  { json }: DeadOptions,
): void {
  if (json) printJson(totals);
  else
    print(
      `${count(totals.deliveries, 'dead delivery', 'dead deliveries')} of ${count(totals.events, 'event')} ${what}.\n`,
    );
}
