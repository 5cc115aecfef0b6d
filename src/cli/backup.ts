import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Command } from 'commander';
import type { Store } from '../inbox/store.ts';
import { SqliteStore } from '../stores/sqlite/sqlite-store.ts';
import { Interrupted, interruptible } from './interrupt.ts';
import { commandSettings, operateStore, operatorDraft, recordAction } from './open-store.ts';
import { jsonOption } from './options.ts';
import { print, printJson } from './print.ts';
import { startProgress } from './progress.ts';

const HELP = `
The copy holds everything that was committed when it began, and no secret. Keep
elsewhere too: the audit key (AUDIT_KEY, or data/audit-key where it is not set),
.env, and the files that its _FILE settings name. A receiver refuses a store
whose log another key has sealed; where the key is lost, see "audit begin".

To restore:
  1. Stop the receiver. Move receiver.db, receiver.db-wal and receiver.db-shm
     away together: a log of another file makes the copy unreadable.
  2. Put the copy in their place as receiver.db, or set DATABASE_URL to it. On
     another machine bring the audit key and the settings.
  3. Start, and run "doctor". If the token was rotated after the backup,
     deliveries are refused until "webhooks register". If a token that was
     replaced since has leaked: "secrets rotate --keep-hours 0" instead.
  4. "reconcile --include-succeeded" fetches back the events that came after it.`;

/** Milliseconds between looks at how far the copy is. */
const LOOK_MS = 250;
const CHECK_LIMIT_MS = 3_600_000;

/** `backup`: a consistent copy while the receiver serves. */
export function register(program: Command): void {
  program
    .command('backup')
    .description('write a consistent copy of the store while it serves, and check the copy')
    .argument('<file>', 'a new file')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(backup);
}

async function backup(path: string, options: { readonly json?: true }): Promise<void> {
  const file = resolve(path);
  if (existsSync(file)) throw new Error(`${path} exists already and is left as it is; name a new file`);
  const settings = commandSettings();
  const { store } = settings;
  if (store.kind !== 'sqlite')
    throw new Error(
      'backup copies a SQLite file; PostgreSQL is backed up with pg_basebackup or pg_dump (docs/scaling.md)',
    );
  const { bytes } = await operateStore(settings, (opened) => copy(opened, store.file, file));
  await check(file, path);
  if (options.json) printJson({ file, bytes, integrity: 'ok' });
  else print(`${path}: ${bytes.toLocaleString('en')} bytes, checked.\n`);
}

async function copy(store: Store, source: string, file: string): Promise<{ bytes: number }> {
  const partial = `${file}.partial-${process.pid}`;
  const stop = interruptible();
  // The thread that copies hears nothing until it is done, so the process ends without it.
  stop.signal.addEventListener('abort', () => {
    rmSync(partial, { force: true });
    rmSync(`${partial}-journal`, { force: true });
    process.kill(process.pid, stop.signal.reason instanceof Interrupted ? stop.signal.reason.signal : 'SIGTERM');
  });
  const progress = startProgress('bytes', statSync(source).size);
  const look = setInterval(() => progress.update(statSync(partial, { throwIfNoEntry: false })?.size ?? 0), LOOK_MS);
  try {
    if (!(store instanceof SqliteStore)) throw new Error('only a SQLite file can be copied');
    const written = await store.backup(file);
    await recordAction(store, operatorDraft('store.backup', { bytes: written.bytes }));
    return written;
  } catch (error) {
    // What hindered the copy may hinder the entry too (a full disk); the copy's own fault is the one to tell.
    await recordAction(store, operatorDraft('store.backup', {}, 'failure')).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(look);
    progress.stop();
    stop.release();
  }
}

/** On a thread, so that a signal still ends the process while a large copy is read. */
async function check(file: string, shown: string): Promise<void> {
  const progress = startProgress('seconds of checking the copy');
  const started = performance.now();
  const look = setInterval(() => progress.update(Math.round((performance.now() - started) / 1_000)), LOOK_MS);
  const thread = new Worker(new URL('./check-copy-thread.ts', import.meta.url), { workerData: file });
  try {
    const [faults]: string[][] = await once(thread, 'message', { signal: AbortSignal.timeout(CHECK_LIMIT_MS) });
    if (faults !== undefined && faults.length > 0) {
      throw new Error(`${shown} is damaged: ${faults[0]}; check the disk, and the store itself`);
    }
  } finally {
    clearInterval(look);
    progress.stop();
    await thread.terminate();
  }
}
