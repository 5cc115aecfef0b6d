import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fillDisk } from '../fill-disk.ts';
import type { Ground, Surroundings } from './site.ts';
import { type Scene, type Trial, tryUnderLoad } from './trial.ts';

const DISK = 'size=48m,mode=755';
const LIMIT = '1mb';

/** Answers 503 that are enough, and the milliseconds in which they come. */
const ENOUGH = 20;
const REFUSED_WITHIN_MS = 60_000;
const LOOK_MS = 100;
/** Milliseconds of load before PostgreSQL goes away, and in which each receiver then begins to keep events to itself. */
const BEFORE_MS = 1_000;
const SPILLS_AFTER_MS = 4_000;

/** Nothing can be stored anywhere for a while, then everything can again. */
async function refuse({ site, load }: Scene, fill: () => void, free: () => void): Promise<string> {
  await site.recovered();
  await pause(BEFORE_MS);
  await site.server.halt();
  await pause(SPILLS_AFTER_MS);
  fill();
  try {
    const refused = (): number => load.tally.refused.get(503) ?? 0;
    const deadline = performance.now() + REFUSED_WITHIN_MS;
    while (refused() < ENOUGH && performance.now() < deadline) await pause(LOOK_MS);
  } finally {
    free();
  }
  await site.server.start();
  await site.recovered();
  return 'once';
}

interface OnDisk extends Surroundings {
  readonly disk: string;
}

/** A small file system of its own for both receivers. */
async function makeDisk({ folder }: Pick<Ground, 'folder'>): Promise<OnDisk> {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', DISK, 'tmpfs', disk], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`no disk could be made: ${stderr}`);
  return {
    disk,
    receiversIn: disk,
    release: async () => {
      spawnSync('umount', [disk]);
    },
  };
}

/** Root may, save in most containers. */
function canMount(): boolean {
  return (
    process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0
  );
}

export const fillSpillDisk: Trial = {
  name: 'spill-disk-full',
  what: 'the disk of the spill is full while PostgreSQL is away',
  async run(choices) {
    if (!canMount()) return undefined;
    const disturb = (scene: Scene<OnDisk>): Promise<string> => {
      const filler = join(scene.site.around.disk, 'filler');
      return refuse(
        scene,
        () => fillDisk(filler),
        () => rmSync(filler),
      );
    };
    return tryUnderLoad({ prepare: makeDisk, refusals: 'some', disturb }, choices);
  },
};

export const reachSpillLimit: Trial = {
  name: 'spill-limit',
  what: 'the spill has its largest size while PostgreSQL is away',
  run(choices) {
    const nothing = (): void => undefined;
    const disturb = (scene: Scene): Promise<string> => refuse(scene, nothing, nothing);
    return tryUnderLoad({ prepare: async () => ({ env: { SPILL_LIMIT: LIMIT } }), refusals: 'some', disturb }, choices);
  },
};
