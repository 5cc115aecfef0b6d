import { type Command, Option } from 'commander';
import { decodeBody } from '../events/parse-body.ts';
import type { DeliveryState, Store, StoredDelivery, StoredEvent } from '../inbox/store.ts';
import { readTestDeliveries } from '../instantly/test-deliveries.ts';
import { addFilterOptions, describeFilter, type FilterOptions, readFilter, resolveFilter } from './event-filter.ts';
import { commandSettings, operateStore, operatorDraft, recordAction } from './open-store.ts';
import { jsonOption, limitOption } from './options.ts';
import { isoTime, note, noteLimit, print, printAtPace, printFacts, printJson, printTable, showTime } from './print.ts';
import { addReplay } from './replay-command.ts';
import { showPayload } from './show-payload.ts';

/** `events`: the inbox. */
export function register(program: Command): void {
  const events = program.command('events').description('look at stored events and run their handlers again');
  addFilterOptions(events.command('list').description('list events, the newest first'))
    .addOption(limitOption())
    .addOption(jsonOption())
    .action(list);
  events
    .command('show')
    .description('show an event with its deliveries and its payload')
    .argument('<id>', 'its id')
    .addOption(new Option('--raw', 'write the body to stdout, byte for byte as it came').conflicts('json'))
    .addOption(jsonOption())
    .action(show);
  addReplay(events);
}

type Shown<Event extends StoredEvent> = Omit<Event, 'source'> & { readonly source: Event['source'] | 'test' };

interface ListOptions extends FilterOptions {
  readonly limit: number;
  readonly json?: true;
}

async function list(options: ListOptions): Promise<void> {
  const events = await operateStore(commandSettings(), async (store) => {
    const filter = await resolveFilter(store, readFilter(options));
    const found = await store.listEvents({ ...filter, limit: options.limit });
    await recordAction(store, operatorDraft('event.list', { ...describeFilter(filter), events: found.length }));
    return markTests(store, found);
  });
  if (options.json) {
    printJson(events.map(toItem));
    return;
  }
  if (events.length === 0) {
    note('No event matches.');
    return;
  }
  printTable(
    ['received', 'type', 'lead', 'source', 'deliveries', 'id'],
    events.map((event) => [
      showTime(event.receivedAt),
      event.type,
      event.lead,
      event.source,
      showDeliveries(event.deliveries),
      event.id,
    ]),
  );
  noteLimit(events.length, options.limit);
}

/** An event that Instantly sent because we asked for a test counts as one, whatever it says. */
async function markTests<Event extends StoredEvent>(
  store: Pick<Store, 'readDocument'>,
  events: readonly Event[],
): Promise<Shown<Event>[]> {
  const tests = await readTestDeliveries(store);
  return events.map((event) => (tests.has(event.id) ? { ...event, source: 'test' as const } : event));
}

async function show(id: string, options: { readonly raw?: true; readonly json?: true }): Promise<void> {
  const event = await operateStore(commandSettings(), (store) => findEvent(store, id));
  const { body, runs, ...facts } = event;
  if (options.raw) {
    await printAtPace(body);
    return;
  }
  if (options.json) {
    const payload: unknown = JSON.parse(decodeBody(body, event.charset));
    printDocument({ ...toItem(facts), runs: runs.map(toRun), payload });
    return;
  }
  printFacts([
    ['id', event.id],
    ['type', event.type],
    ['raw type', event.rawType],
    ['received', isoTime(event.receivedAt)],
    ['timestamp', isoTime(event.timestamp)],
    ['lead', event.lead],
    ['campaign', event.campaignId],
    ['proven by', event.principal],
    ['source', event.source],
    ['bytes', event.bytes],
  ]);
  if (runs.length === 0) print('\nNo handler takes it.\n');
  else printRuns(runs);
  print(`\n${showPayload(body, event.charset)}\n`);
}

function printDocument(document: object): void {
  try {
    printJson(document);
  } catch (error) {
    // What JSON.stringify throws where it would run out of stack; a sender may nest as deep as it likes.
    if (!(error instanceof RangeError)) throw error;
    throw new Error('the payload is nested too deeply to be printed as JSON; --raw writes it as it came');
  }
}

async function findEvent(store: Store, id: string) {
  const event = await store.findEvent(id);
  if (event === undefined) throw new Error(`there is no event with the id ${id}`);
  await recordAction(store, operatorDraft('event.show', { eventId: event.id }));
  const [shown = event] = await markTests(store, [event]);
  return shown;
}

function printRuns(runs: readonly StoredDelivery[]): void {
  printTable(
    ['handler', 'state', 'attempts', 'next', 'changed', 'last error'],
    runs.map(({ handler, state, orphaned, attempts, nextAt, updatedAt, lastError }) => [
      handler,
      orphaned ? `${state}, orphaned` : state,
      attempts,
      showTime(nextAt),
      showTime(updatedAt),
      lastError,
    ]),
  );
}

function toItem(event: Shown<StoredEvent>) {
  const { id, receivedAt, type, rawType, timestamp, lead, campaignId, principal, source, bytes, deliveries } = event;
  return {
    id,
    receivedAt: isoTime(receivedAt),
    type,
    rawType,
    timestamp: isoTime(timestamp),
    lead,
    campaignId,
    principal,
    source,
    bytes,
    deliveries,
  };
}

function toRun({ handler, state, orphaned, attempts, nextAt, lastError, updatedAt }: StoredDelivery) {
  return {
    handler,
    state,
    ...(orphaned ? { orphaned } : {}),
    attempts,
    nextAt: isoTime(nextAt),
    lastError,
    updatedAt: isoTime(updatedAt),
  };
}

function showDeliveries(deliveries: Readonly<Record<DeliveryState, number>>): string | null {
  const some = Object.entries(deliveries).filter(([, n]) => n > 0);
  return some.length === 0 ? null : some.map(([state, n]) => `${n} ${state}`).join(', ');
}
