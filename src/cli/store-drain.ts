import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { deriveAuditKey } from '../audit/chain.ts';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import type { PostgresStore } from '../stores/postgres/postgres-store.ts';
import { refuseForeignKey } from '../stores/refuse-foreign-key.ts';
import type { SqliteStore } from '../stores/sqlite/sqlite-store.ts';
import { interruptible } from './interrupt.ts';
import { commandSettings, openPostgres, operatorDraft, recordAction } from './open-store.ts';
import { jsonOption } from './options.ts';
import { count, note, print, printJson } from './print.ts';
import { startProgress } from './progress.ts';

const HELP = `
For a spill whose receiver is gone: a disk that was kept, a pod that was scaled
away. Events go to the database that DATABASE_URL names, in order and without
doubles, their audit entries with them, and leave the file. Interrupted at any
moment, the same command goes on. A receiver empties its own spill by itself,
and while it runs nobody else can.`;

interface Drained {
  events: number;
  bodies: number;
  entries: number;
}

/** `store drain`: what an orphaned spill holds, into PostgreSQL. */
export function registerDrain(store: Command): void {
  store
    .command('drain')
    .description('move what a spill that was left behind holds into PostgreSQL')
    .argument('<file>', 'the spill, such as data/spill.db')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(drain);
}

async function drain(path: string, options: { readonly json?: true }): Promise<void> {
  const settings = commandSettings();
  const file = resolve(path);
  if (!existsSync(file)) throw new Error(`there is no file at ${file}`);
  // What lies beside the file is personal: for this user alone.
  process.umask(0o077);
  const primary = await openPrimary(settings);
  try {
    const drained = await drainInto(primary, file, settings);
    if (options.json) printJson({ file, ...drained });
    else {
      const { events, bodies, entries } = drained;
      print(
        `Moved ${count(events, 'event')}, ${count(bodies, 'unreadable body', 'unreadable bodies')} and ${count(entries, 'audit entry', 'audit entries')} to ${primary.location}. ${path} is empty.\n`,
      );
    }
  } finally {
    await primary.close();
  }
}

async function openPrimary(settings: Settings): Promise<PostgresStore> {
  const { store } = settings;
  if (store.kind !== 'postgres') {
    throw new SettingsError([
      'DATABASE_URL must name the PostgreSQL database that the spill belongs to, as postgres://USER:PASSWORD@HOST/DATABASE',
    ]);
  }
  const primary = await openPostgres(store, settings.audit.key.reveal());
  try {
    await refuseForeignKey(primary, deriveAuditKey(settings.audit.key), primary.location);
    return primary;
  } catch (error) {
    await primary.close();
    throw error;
  }
}

async function drainInto(primary: PostgresStore, file: string, settings: Settings): Promise<Drained> {
  const { openSpill } = await import('../stores/spill/open-spill.ts');
  const spill = await openSpill({ file, maxBytes: Number.MAX_SAFE_INTEGER, auditKey: settings.audit.key.reveal() });
  const stop = interruptible();
  const drained = { events: 0, bodies: 0, entries: 0 };
  try {
    await moveAll(primary, spill, drained, stop.signal);
    await recordAction(primary, operatorDraft('store.drain', { ...drained }));
    return drained;
  } catch (error) {
    // What hindered the move may hinder the entry too; the move's own fault is the one to tell.
    await recordAction(primary, operatorDraft('store.drain', { ...drained }, 'failure')).catch(() => undefined);
    throw error;
  } finally {
    stop.release();
    await spill.close();
  }
}

async function moveAll(
  primary: PostgresStore,
  spill: SqliteStore,
  drained: Drained,
  signal: AbortSignal,
): Promise<void> {
  const { PARCEL } = await import('../stores/spill/drainer.ts');
  const { moveParcel } = await import('../stores/spill/move-parcel.ts');
  const { isEmptyParcel } = await import('../stores/spill/parcel.ts');
  const progress = startProgress('events moved', (await spill.spillSize()).events);
  try {
    for (;;) {
      signal.throwIfAborted();
      const parcel = await spill.readParcel(PARCEL);
      if (isEmptyParcel(parcel)) return;
      await moveParcel(
        {
          moveIn: (part) => primary.moveIn(part),
          forget: (rows, refused) => spill.forgetParcel(rows, refused),
          onRefused: (_, error) =>
            note(`PostgreSQL refuses a row, which is kept in quarantine or laid aside in the spill: ${error.message}`),
        },
        parcel,
      );
      drained.events += parcel.events.length;
      drained.bodies += parcel.bodies.length;
      drained.entries += parcel.entries.length;
      progress.update(drained.events);
    }
  } finally {
    progress.stop();
  }
}
