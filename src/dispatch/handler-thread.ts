import { AsyncLocalStorage } from 'node:async_hooks';
import { constants, getPriority, setPriority } from 'node:os';
import type { HandlerDefinition } from '../events/define-handler.ts';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import type { ClaimedDelivery } from '../inbox/store.ts';
import { buildEvent } from './build-event.ts';
import { describeError } from './describe-error.ts';
import { importHandler } from './import-handler.ts';
import { useKeptModules } from './kept-modules.ts';
import { type LogBindings, logFromThread } from './log-from-thread.ts';
import { takeChannel } from './private-channel.ts';
import { resolvePackage } from './resolve-package.ts';
import {
  type AbortCause,
  type FailureReport,
  type FromHandlerThread,
  type HandlerThreadOptions,
  MARK,
  type ToHandlerThread,
} from './thread-protocol.ts';

// The thread of one handler: whatever a user's code does here, it does to itself.

interface Run {
  readonly id: number;
  readonly controller: AbortController;
  readonly bindings: LogBindings;
}

const { data, send } = takeChannel<HandlerThreadOptions, FromHandlerThread, ToHandlerThread>(hear);
const { file, handler, marks, modules, ...settings } = data;
/** A user's code may replace it. */
const { store: setMark } = Atomics;

/** Nothing is sent to this thread before it is there. */
let definition: HandlerDefinition | undefined;

const runs = new Map<number, Run>();
/** Follows a run through its awaits, timers and forgotten promises. */
const current = new AsyncLocalStorage<Run>();
const logger = logFromThread(settings, handler, () => current.getStore()?.bindings ?? {});

yieldToOthers();
useKeptModules(modules);
resolvePackage();
watchStrayErrors();
watchExit();
void load();

/** On Linux a priority belongs to the thread, elsewhere to the whole process. */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL));
  } catch (error) {
    // A sandbox may forbid it; everything works without.
    logger.debug({ err: error }, 'this thread keeps the priority of the process');
  }
}

async function load(): Promise<void> {
  const fail = (loadFailure: FailureReport): void => send({ loadFailure });
  try {
    const imported = await importHandler(file);
    if ('faults' in imported) fail({ text: imported.faults.join('; ') });
    else if (imported.definition.name !== handler) fail({ text: 'its name is not the one it had at the start' });
    else {
      definition = imported.definition;
      send({ ready: true });
    }
  } catch (thrown) {
    fail(describeError(thrown, file));
  }
}

function hear(message: ToHandlerThread): void {
  if ('abort' in message) abort(message.abort, message.cause);
  else if ('ping' in message) send({ pong: message.ping });
  else if (definition !== undefined && monotonicMilliseconds() < message.beginBefore) {
    void attempt(definition, message.run, message.delivery);
  }
}

async function attempt(loaded: HandlerDefinition, id: number, delivery: ClaimedDelivery): Promise<void> {
  const { deliveryId, eventId, attempt: number } = delivery;
  const run: Run = { id, controller: new AbortController(), bindings: { eventId, deliveryId, attempt: number } };
  runs.set(id, run);
  send({ begun: id });
  try {
    await begin(loaded, run, delivery);
    settle(run);
  } catch (thrown) {
    settle(run, describeError(thrown, file));
  }
}

/** Calls the handler, marked so that the main thread can see who holds this thread when it yields no more. */
function begin(loaded: HandlerDefinition, run: Run, delivery: ClaimedDelivery): unknown {
  setMark(marks, MARK.begun, run.id);
  setMark(marks, MARK.onStack, run.id);
  try {
    return current.run(run, () => {
      const tools = { logger: logger.child(run.bindings), signal: run.controller.signal };
      const { event, context } = buildEvent(delivery, tools);
      return loaded.handle(event, context);
    });
  } finally {
    setMark(marks, MARK.onStack, 0);
  }
}

/** The first word on a run counts: an error that nothing caught may have ended it before. */
function settle(run: Run, failure?: FailureReport): void {
  if (!runs.delete(run.id)) return;
  const { aborted } = run.controller.signal;
  send(failure === undefined ? { settled: run.id, aborted } : { settled: run.id, failure, aborted });
}

function abort(id: number, cause: AbortCause): void {
  const run = runs.get(id);
  const reason =
    cause === 'timeout'
      ? new DOMException('The time of this attempt is over.', 'TimeoutError')
      : new DOMException('The receiver is stopping.', 'AbortError');
  // Inside the run, so that an error in one of its listeners is told as its own.
  if (run !== undefined) current.run(run, () => run.controller.abort(reason));
}

/** Without these the first forgotten promise would end the thread, and all that runs in it. */
function watchStrayErrors(): void {
  let told = false;
  const onStray = (thrown: unknown): void => {
    const run = current.getStore();
    const failure = describeError(thrown, file);
    if (run !== undefined && runs.delete(run.id)) send({ stray: run.id, failure });
    else if (!told) send({ stray: 0, failure });
    // A timer may throw for ever; once is enough for the thread to be replaced.
    told = true;
  };
  process.on('uncaughtException', onStray);
  process.on('unhandledRejection', onStray);
}

/** process.exit ends only this thread; who called it is left where it can still be read. */
function watchExit(): void {
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    setMark(marks, MARK.exited, current.getStore()?.id ?? 0);
    return exit(code);
  };
}
