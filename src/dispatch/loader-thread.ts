import { basename } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from './describe-error.ts';
import { importHandler } from './import-handler.ts';
import { type KeptModules, keepFolder, useKeptModules } from './kept-modules.ts';
import { logFromThread } from './log-from-thread.ts';
import { resolvePackage } from './resolve-package.ts';
import { takePort } from './take-port.ts';
import type { FromLoaderThread, HandlerFacts, LoaderThreadOptions } from './thread-protocol.ts';

// A short-lived thread that imports the handler files once, so that a faulty one stops the start and nothing else.

const port = parentPort;
if (port === null) throw new Error('loader-thread.ts is started as a thread');
const { files, dir, modules, ...settings } = workerData as LoaderThreadOptions;
const send = takePort<FromLoaderThread>(port);

let loading = '';
const strays: string[] = [];
/** Entries of `modules` that the main thread has. */
const sent = { resolved: 0, sources: 0 };
logFromThread(settings, 'loader', () => ({ file: basename(loading) }));
useKeptModules(modules);
resolvePackage();
process.on('uncaughtException', noteStray);
process.on('unhandledRejection', noteStray);

void loadAll();

async function loadAll(): Promise<void> {
  // A file that waits for ever is told by the time limit; with nothing left to do the thread would end instead.
  const hold = setInterval(() => undefined, 1_000);
  if (modules.sources.size === 0) await keepFolder(dir);
  for (const [index, file] of files.entries()) {
    loading = file;
    send({ loading: index });
    const result = await load(file);
    // An error that nobody caught shows after a turn of the event loop.
    await turn();
    const reasons = [...('reasons' in result ? result.reasons : []), ...strays.splice(0)];
    if ('facts' in result && reasons.length === 0) send({ loaded: index, facts: result.facts, modules: takeNew() });
    else send({ failed: index, reasons });
  }
  clearInterval(hold);
}

function takeNew(): KeptModules {
  const resolved = new Map([...modules.resolved].slice(sent.resolved));
  const sources = new Map([...modules.sources].slice(sent.sources));
  sent.resolved += resolved.size;
  sent.sources += sources.size;
  return { resolved, sources };
}

async function load(file: string): Promise<{ facts: HandlerFacts } | { reasons: readonly string[] }> {
  try {
    const imported = await importHandler(file);
    if ('faults' in imported) return { reasons: imported.faults };
    const { name, events, ordered, idle } = imported.definition;
    return { facts: { name, events: [...events], ordered: ordered ?? true, idle: idle ?? false } };
  } catch (thrown) {
    return { reasons: [describe(thrown, file)] };
  }
}

function noteStray(thrown: unknown): void {
  strays.push(`an error that nothing caught: ${describe(thrown, loading)}`);
}

function describe(thrown: unknown, file: string): string {
  const { text, where } = describeError(thrown, file);
  return where === undefined ? text : `${text} (${where})`;
}
