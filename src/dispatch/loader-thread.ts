import { basename } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describeError } from './describe-error.ts';
import { importHandler } from './import-handler.ts';
import { type KeptModules, keepFolder, useKeptModules } from './kept-modules.ts';
import { logFromThread } from './log-from-thread.ts';
import { takeChannel } from './private-channel.ts';
import { resolvePackage } from './resolve-package.ts';
import type { FromLoaderThread, HandlerFacts, LoaderThreadOptions } from './thread-protocol.ts';

// A short-lived thread that imports the handler files once, so that a faulty one stops the start and nothing else.

const { data, send } = takeChannel<LoaderThreadOptions, FromLoaderThread>();
const { files, dir, modules, ...settings } = data;

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
