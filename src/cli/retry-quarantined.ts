import { hash } from 'node:crypto';
import { restoreQuarantined } from '../authenticate/index.ts';
import type { Settings } from '../config/settings.ts';
import { Problem } from '../errors/problem.ts';
import { interpretBody } from '../events/interpret-body.ts';
import { typeLabel } from '../events/names.ts';
import { readCharset } from '../events/parse-body.ts';
import { Inbox } from '../inbox/accept.ts';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import type { AcceptResult, Store } from '../inbox/store.ts';
import { commitTo } from './commit-to.ts';
import { commandSettings, operateStore, operatorDraft, recordAction } from './open-store.ts';
import { print, printJson } from './print.ts';
import { readBytes } from './read-bytes.ts';

const ACTION = 'quarantine.retry';

interface RetryOptions {
  readonly file?: string;
  readonly again?: true;
  readonly json?: true;
}

export async function retry(id: string, options: RetryOptions): Promise<void> {
  const settings = commandSettings();
  const mended = options.file === undefined ? undefined : await readBytes(options.file, settings.http.bodyLimitBytes);
  const result = await operateStore(settings, (store) => accept(store, settings, id, mended, options.again === true));
  if (options.json) printJson({ quarantineId: id, ...result });
  else if (result.status === 'accepted') print(`Accepted as event ${result.id}.\n`);
  else print(`The same content was accepted before, as event ${result.id}.\n`);
}

/** The way of a request from the point where its sender is proven: parsed, read, accepted. */
async function accept(
  store: Store,
  settings: Settings,
  id: string,
  mended: Uint8Array | undefined,
  again: boolean,
): Promise<AcceptResult> {
  const startedAt = monotonicMilliseconds();
  const held = await store.findQuarantined(id);
  if (held === undefined) throw new Error(`nothing in quarantine has the id ${id}`);
  if (held.state === 'retried' && !again) {
    throw new Error(
      `it was retried before and is event ${held.eventId}; --again makes another event of the same bytes`,
    );
  }
  const delivery = restoreQuarantined({ ...held, body: mended ?? held.body });
  const facts = {
    quarantineId: id,
    mended: mended !== undefined,
    bytes: delivery.body.byteLength,
    bodySha256: hash('sha256', delivery.body, 'hex'),
  };
  // A mended body has been through an editor, and is UTF-8.
  const event = interpretBody(delivery.body, mended === undefined ? readCharset(held.contentType) : null);
  if (!event.ok) {
    await recordAction(store, operatorDraft(ACTION, { ...facts, reason: event.reason }, 'failure'));
    throw new Error(`it still cannot be read (${event.reason}); see --help for how to mend it`);
  }
  const draft = operatorDraft(ACTION, { ...facts, eventType: typeLabel(event.facts.type) });
  const handlers = await store.registeredHandlers();
  const inbox = new Inbox({
    commits: commitTo(store, 1),
    handlers: () => handlers,
    retentionMs: settings.retentionMs,
    maxEventAgeMs: settings.maxEventAgeMs,
  });
  try {
    return await inbox.accept(delivery, event, { draft, startedAt }, id);
  } catch (error) {
    // The reason is for the sender of a request; whoever stands at the command line can do something about the cause.
    throw error instanceof Problem && error.cause instanceof Error ? error.cause : error;
  }
}
