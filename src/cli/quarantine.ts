import { type Command, Option } from 'commander';
import { readCharset } from '../events/parse-body.ts';
import type { QuarantinedBody, QuarantineState, Store } from '../inbox/store.ts';
import { commandSettings, operateStore, operatorDraft, readStore, recordAction } from './open-store.ts';
import { choiceOption, jsonOption, limitOption } from './options.ts';
import { isoTime, note, noteLimit, print, printAtPace, printFacts, printJson, printTable, showTime } from './print.ts';
import { retry } from './retry-quarantined.ts';
import { embedBody, showPayload } from './show-payload.ts';

const STATES = ['held', 'retried'] as const satisfies readonly QuarantineState[];

const HELP = `
To mend a body:
  quarantine show ID --raw > body.json
  (edit body.json until it is a JSON object)
  quarantine retry ID --file body.json

A body that was sent compressed is kept so:
  quarantine show ID --raw | gunzip > body.json`;

/** `quarantine`: authentic bodies that could not be read as an event. */
export function register(program: Command): void {
  const quarantine = program.command('quarantine').description('look at bodies that could not be read, and retry them');
  quarantine
    .command('list')
    .description('list quarantined bodies, the newest first')
    .addOption(choiceOption('--state <state>', 'in this state', STATES))
    .addOption(limitOption())
    .addOption(jsonOption())
    .action(list);
  quarantine
    .command('show')
    .description('show a quarantined body')
    .argument('<id>', 'its id')
    .addOption(new Option('--raw', 'write the body to stdout, byte for byte as it came').conflicts('json'))
    .addOption(jsonOption())
    .action(show);
  quarantine
    .command('retry')
    .description('accept a quarantined body as an event, as it is or mended')
    .argument('<id>', 'its id')
    .addOption(new Option('--file <path>', 'the mended body; - reads stdin'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .option('--again', 'although it was retried before: two events cut off at the same byte are alike')
    .action(retry);
}

async function list(options: {
  readonly state?: QuarantineState;
  readonly limit: number;
  readonly json?: true;
}): Promise<void> {
  const { state, limit } = options;
  const bodies = await readStore(commandSettings(), (store) =>
    store.listQuarantine({ limit, ...(state === undefined ? {} : { state }) }),
  );
  if (options.json) {
    printJson(bodies.map(toItem));
    return;
  }
  if (bodies.length === 0) {
    note('Nothing is in quarantine.');
    return;
  }
  printTable(
    ['received', 'times', 'reason', 'content type', 'bytes', 'state', 'id'],
    bodies.map((body) => [
      showTime(body.receivedAt),
      body.times,
      body.reason,
      body.contentType?.slice(0, 40) ?? null,
      body.bytes,
      body.state,
      body.id,
    ]),
  );
  noteLimit(bodies.length, limit);
}

async function show(id: string, options: { readonly raw?: true; readonly json?: true }): Promise<void> {
  const found = await operateStore(commandSettings(), (store) => find(store, id));
  if (options.raw) {
    await printAtPace(found.body);
    return;
  }
  if (options.json) {
    printJson({ ...toItem(found), ...embedBody(found.body) });
    return;
  }
  printFacts([
    ['id', found.id],
    ['reason', found.reason],
    ['received', isoTime(found.receivedAt)],
    ['last received', isoTime(found.lastReceivedAt)],
    ['times', found.times],
    ['proven by', found.principal],
    ['content type', found.contentType],
    ['bytes', found.bytes],
    ['SHA-256', found.bodySha256],
    ['state', found.state],
    ['event', found.eventId],
  ]);
  print(`\n${showPayload(found.body, readCharset(found.contentType))}\n`);
}

async function find(store: Store, id: string) {
  const found = await store.findQuarantined(id);
  if (found === undefined) throw new Error(`nothing in quarantine has the id ${id}`);
  await recordAction(store, operatorDraft('quarantine.show', { quarantineId: found.id }));
  return found;
}

function toItem(body: QuarantinedBody) {
  const { id, receivedAt, lastReceivedAt, times, reason, principal, contentType, bodySha256, bytes, state, eventId } =
    body;
  return {
    id,
    receivedAt: isoTime(receivedAt),
    lastReceivedAt: isoTime(lastReceivedAt),
    times,
    reason,
    principal,
    contentType,
    bodySha256,
    bytes,
    state,
    eventId,
  };
}
