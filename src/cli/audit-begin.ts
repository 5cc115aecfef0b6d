import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { deriveAuditKey } from '../audit/chain.ts';
import type { AuditDraft } from '../audit/entry.ts';
import { newId } from '../audit/new-id.ts';
import type { Settings } from '../config/settings.ts';
import { storeLocation } from '../config/store-location.ts';
import { SettingsError } from '../errors/problem.ts';
import type { Store } from '../inbox/store.ts';
import { refuseForeignKey } from '../stores/refuse-foreign-key.ts';
import { SqliteStore } from '../stores/sqlite/sqlite-store.ts';
import { readUpTo, writeAtPace } from './audit-export.ts';
import { fillNewFile } from './fill-new-file.ts';
import { commandSettings, openPostgres, operatorDraft } from './open-store.ts';
import { count, note, printJson, toJson } from './print.ts';
import { startProgress } from './progress.ts';

interface BeginOptions {
  readonly output: string;
  readonly json?: true;
}

interface Log extends Pick<Store, 'tailAudit' | 'close'> {
  /** Removes the log and begins a new one with these entries, in one transaction. */
  beginAudit(entry: AuditDraft): Promise<{ readonly entries: number }>;
}

/** Begins a new log under a new key. The old one is moved into a file first: nothing of it can be sealed anew. */
export async function begin({ output, json }: BeginOptions): Promise<void> {
  const settings = commandSettings();
  const logs = await openForeignLogs(settings);
  let entries = 0;
  try {
    if (logs.length === 0)
      throw new Error(`AUDIT_KEY is the key of the log in ${storeLocation(settings.store)}: there is nothing to begin`);
    await fillNewFile(output, async (file) => {
      for (const log of logs) await writeAll(log, file);
    });
    for (const log of logs) entries += (await log.beginAudit(operatorDraft('audit.begin'))).entries;
  } finally {
    for (const log of logs) await log.close();
  }
  if (json) printJson({ file: output, entries });
  else note(`${count(entries, 'entry', 'entries')} moved to ${output}; a new audit log has begun.`);
}

/** The store, and with PostgreSQL the spill on this machine, where another key has sealed their logs. */
async function openForeignLogs(settings: Settings): Promise<Log[]> {
  const { store } = settings;
  const auditKey = settings.audit.key.reveal();
  // As one that serves, so that no receiver writes to it meanwhile.
  const openFile = (file: string, setting: 'DATABASE_URL' | 'SPILL_DATABASE_URL'): Promise<Log> =>
    SqliteStore.open({ file, writer: newId(), auditKey, serve: true, setting });
  const opened: Log[] = [];
  if (store.kind === 'postgres') {
    opened.push(await openPostgres(store, auditKey));
    if (existsSync(store.spill.file)) opened.push(await openFile(store.spill.file, 'SPILL_DATABASE_URL'));
  } else if (existsSync(store.file)) opened.push(await openFile(store.file, 'DATABASE_URL'));
  const foreign: Log[] = [];
  for (const log of opened) {
    if (await isForeign(log, settings)) foreign.push(log);
    else await log.close();
  }
  return foreign;
}

async function isForeign(log: Log, settings: Settings): Promise<boolean> {
  try {
    await refuseForeignKey(log, deriveAuditKey(settings.audit.key), '');
    return false;
  } catch (error) {
    if (error instanceof SettingsError) return true;
    throw error;
  }
}

async function writeAll(log: Log, to: Writable): Promise<void> {
  const { cursor: end } = await log.tailAudit(1);
  const progress = startProgress('entries');
  let read = 0;
  try {
    for await (const page of readUpTo(log, end)) {
      await writeAtPace(to, `${page.map((entry) => toJson(entry, 0)).join('\n')}\n`);
      read += page.length;
      progress.update(read);
    }
  } finally {
    progress.stop();
  }
}
