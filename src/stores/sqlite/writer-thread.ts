import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { deriveAuditKey } from '../../audit/chain.ts';
import { Secret } from '../../config/secret.ts';
import { SettingsError } from '../../errors/problem.ts';
import { AuditLane } from './audit-lane.ts';
import { Connection } from './connection.ts';
import { FileGone } from './file-place.ts';
import { migrate, refuseForeignFile } from './migrate.ts';
import { createOperations } from './operations.ts';
import { holdForUpgrade, holdServiceLock, nameHolder, type ServiceLock } from './service-lock.ts';
import { isRowFault, isSqliteError } from './sqlite-error.ts';
import {
  blocksToMove,
  type FromThread,
  type ThreadError,
  type ThreadOptions,
  type ToThread,
} from './thread-protocol.ts';

// This thread owns the file: an fsync or a checkpoint stalls it, and no request.

/** Milliseconds between looks for what another process (a command) has changed. */
const LOOK_MS = 250;

const port = parentPort;
if (port === null) throw new Error('writer-thread.ts is started as a thread');
const options = workerData as ThreadOptions;
const send = (message: FromThread, move: ArrayBuffer[] = []): void => port.postMessage(message, move);

try {
  serve();
} catch (error) {
  send({ failed: describe(error) });
}

function serve(): void {
  const { file, setting = 'DATABASE_URL' } = options;
  // Who took it away may bring it back, and what is answered 200 has to be where it is looked for. A spill is made anew: what
  // comes next needs one, and the old one is emptied by a start with it, or by `store drain`.
  if (options.reopened && !options.remake && !existsSync(file))
    throw new Error('the file is gone; bring it back, or start anew without it');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  refuseForeignFile(file, setting);
  const lock = options.serve
    ? holdServiceLock(file, setting, { onWait: (holder) => send({ waiting: nameHolder(holder) }) })
    : undefined;
  const connection = new Connection(file);
  bringUp(connection);
  if (options.serve) connection.checkpointNext();
  const lane = new AuditLane({
    ...options,
    key: deriveAuditKey(new Secret(options.auditKey)),
    started: options.reopened === true,
    mayLeave: options.maxBytes !== undefined,
    onTampered: (tampered) => send({ tampered }),
  });
  const operations = createOperations(options, connection, lane);

  const end = (): void => {
    clearInterval(watch);
    // Puts what the log holds into the main file, where no other process has it open.
    connection.close();
    lock?.release();
    port?.close();
  };
  let told = lane.heads;
  const watch = setInterval(lookForForeignChange(connection, end), LOOK_MS);
  port?.on('message', (message: ToThread) => {
    if ('close' in message) {
      end();
      return;
    }
    const { id, operation, values } = message;
    try {
      // The caller's types tie values to the operation (SqliteStore.#call); they are lost on the way through the port.
      const run = operations[operation] as (...values: readonly unknown[]) => unknown;
      const value = run(...values);
      const message = lane.heads === told ? { id, value } : { id, value, heads: lane.heads };
      send(message, blocksToMove(operation, value));
      told = lane.heads;
    } catch (error) {
      send({ id, error: describe(error) });
      if (mustReopen(error)) end();
    }
  });
  send({ ready: true });
}

function bringUp(connection: Connection): void {
  const { file, serve: serves, setting = 'DATABASE_URL' } = options;
  let lock: ServiceLock | undefined;
  const onUpgrade = (): void => {
    if (!serves) lock = holdForUpgrade(file, setting);
    send({ upgrading: true });
  };
  try {
    migrate(connection, { setting, onUpgrade });
  } finally {
    lock?.release();
  }
}

/** SQLite opens what it may not write for reading alone, and stays with that when it may be written again. */
function mustReopen(error: unknown): boolean {
  return error instanceof FileGone || isSqliteError(error, 'READONLY');
}

/** `data_version` changes when another connection has committed, never for this one's own commits. */
function lookForForeignChange(connection: Connection, end: () => void): () => void {
  const read = (): unknown => connection.get('PRAGMA data_version')?.['data_version'];
  let seen = read();
  return () => {
    try {
      connection.checkPlace();
      const version = read();
      if (version !== seen) send({ foreignChange: true });
      seen = version;
    } catch (error) {
      if (mustReopen(error)) end();
      // Otherwise the file cannot be read now; the next commit says so to whom it concerns, and the next look may succeed.
      else seen = describe(error).message;
    }
  };
}

function describe(error: unknown): ThreadError {
  if (error instanceof SettingsError) return { message: error.message, faults: error.faults };
  if (!(error instanceof Error)) return { message: String(error) };
  // SQLite's own words for the code: never a value of a row.
  const message = 'errstr' in error ? `${String(error.errstr)} (${error.message})` : error.message;
  return isRowFault(error) ? { message, row: true } : { message };
}
