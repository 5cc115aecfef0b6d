import { type Command, Option } from 'commander';
import type { Store } from '../inbox/store.ts';
import { refuseUnknownHandler } from './known-names.ts';
import { commandSettings, readStore } from './open-store.ts';
import { jsonOption, limitOption } from './options.ts';
import { count, isoTime, note, noteLimit, print, printJson, printTable, showTime } from './print.ts';
import { type ReplayPlan, replayIds, runReplay } from './replay-steps.ts';

/** Dead deliveries looked at in one round. */
const ROUND = 50_000;

/** `dead`: deliveries that have used up their attempts. */
export function register(program: Command): void {
  const dead = program.command('dead').description('look at dead deliveries and run them again');
  dead
    .command('list')
    .description('list dead deliveries, the newest first')
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
        handler: delivery.handler,
        state: delivery.state,
        attempts: delivery.attempts,
        lastError: delivery.lastError,
        diedAt: isoTime(delivery.updatedAt),
      })),
    );
    return;
  }
  if (dead.length === 0) {
    note('No delivery is dead.');
    return;
  }
  printTable(
    ['died', 'handler', 'type', 'attempts', 'last error', 'event'],
    dead.map((delivery) => [
      showTime(delivery.updatedAt),
      delivery.handler,
      delivery.type,
      delivery.attempts,
      delivery.lastError,
      delivery.eventId,
    ]),
  );
  noteLimit(dead.length, limit);
}

async function replay(
  ids: readonly string[],
  options: DeadOptions & { readonly all?: true },
  command: Command,
): Promise<void> {
  if (ids.length === 0 && options.handler === undefined && options.all === undefined) {
    command.error('error: name events, a handler with --handler, or say --all', { exitCode: 2 });
  }
  if (ids.length > 0 && options.all) command.error('error: give ids or --all, one of them', { exitCode: 2 });
  const totals = { events: 0, deliveries: 0 };
  await runReplay(
    options.handler,
    (store, signal, onProgress) => replayDead(store, ids, options.handler, signal, totals, onProgress),
    () => report(totals, options),
  );
}

/** In rounds of what died before we began: a delivery that dies again meanwhile is not taken up a second time. */
async function replayDead(
  store: Store,
  ids: readonly string[],
  handler: string | undefined,
  signal: AbortSignal,
  totals: { events: number; deliveries: number },
  onProgress: (done: number) => void,
): Promise<void> {
  const startedAt = Date.now();
  const plan: ReplayPlan = { only: 'dead', handler, action: 'dead.replay', metadata: {} };
  const filter = {
    limit: ROUND,
    ...(handler === undefined ? {} : { handler }),
    ...(ids.length === 0 ? {} : { eventIds: ids }),
  };
  for (;;) {
    signal.throwIfAborted();
    const dead = (await store.listDead(filter)).filter(({ updatedAt }) => updatedAt <= startedAt);
    refuseLiving(ids, dead, totals.deliveries);
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
function refuseLiving(ids: readonly string[], dead: readonly { readonly eventId: string }[], done: number): void {
  if (done > 0) return;
  const known = new Set(dead.map(({ eventId }) => eventId));
  const living = ids.find((id) => !known.has(id));
  if (living !== undefined)
    throw new Error(`no dead delivery belongs to an event with the id ${living}; nothing was replayed`);
}

function report(totals: { readonly events: number; readonly deliveries: number }, { json }: DeadOptions): void {
  if (json) printJson(totals);
  else
    print(
      `${count(totals.deliveries, 'dead delivery', 'dead deliveries')} of ${count(totals.events, 'event')} will run again.\n`,
    );
}
