import { chmodSync, closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { SteadyLoad } from '../../test/support/steady-load.ts';
import { fillDisk } from '../fill-disk.ts';
import { inFolder, requireAll, requireAnswers, run, until, withReceiver } from './trial.ts';

const CLIENTS = 8;
/** Answers of one kind that are waited for. */
const ENOUGH = 40;

export interface PlaceReport {
  readonly refused: number;
  readonly stored: number;
}

/** `undefined`: this machine does not let this user try it. */
export type PlaceProof = () => Promise<PlaceReport | undefined>;

/** Breaks what the receiver writes to while it is under load, sees it refuse, mends it, and sees it go on. */
async function tryOutage(folder: string, act: () => void, mend: () => void): Promise<PlaceReport> {
  const load = new SteadyLoad(CLIENTS);
  try {
    await withReceiver(folder, {}, async ({ receiver, end }) => {
      await load.aim(receiver.port);
      act();
      try {
        await until(() => load.answers.length - load.accepted >= ENOUGH, 'answers 503');
      } finally {
        mend();
      }
      const before = load.accepted;
      await until(() => load.accepted >= before + ENOUGH, 'answers 200 once it is over');
      await end('SIGKILL');
    });
  } finally {
    await load.end();
  }
  return { refused: requireAnswers(load), stored: await requireAll(folder, load) };
}

/** A small file system of its own, filled to the last byte. */
export const proveFullDisk: PlaceProof = () =>
  inFolder(async (folder) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    if (run('mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk) === undefined) return undefined;
    const filler = join(disk, 'filler');
    try {
      return await tryOutage(
        disk,
        () => fillDisk(filler),
        () => rmSync(filler),
      );
    } finally {
      run('umount', disk);
    }
  });

/** Root writes whatever the modes say, so for root the file is made immutable. */
export const proveReadOnly: PlaceProof = () =>
  inFolder(async (folder) => {
    const file = join(folder, 'data', 'receiver.db');
    if (process.getuid?.() === 0) {
      const probe = join(folder, 'probe');
      closeSync(openSync(probe, 'w'));
      if (run('chattr', '+i', probe) === undefined) return undefined;
      run('chattr', '-i', probe);
      const both = [file, `${file}-wal`];
      return tryOutage(
        folder,
        () => run('chattr', '+i', ...both),
        () => run('chattr', '-i', ...both),
      );
    }
    return tryOutage(
      folder,
      () => {
        chmodSync(file, 0o400);
        // What is open stays writable: only a file that is opened anew feels its mode.
        rmSync(`${file}-wal`);
      },
      () => chmodSync(file, 0o600),
    );
  });
